"""What has expired is deleted, in chunks; a study's files go before its row, and a taxonomy keeps its latest study."""

from __future__ import annotations
