"""Text that is safe to print to a terminal."""

from __future__ import annotations
