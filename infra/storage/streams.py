"""Storage of files too large to hold in memory: the port, and two methods more."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pipeline.ports.outside import ObjectStorage


class FileStorage(ObjectStorage, Protocol):
    """Both adapters of this package; weights of networks go through it."""

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """Like ``put``, read from a file in pieces."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to ``path`` in pieces (not atomically: give a temporary path). NotFound when absent."""
        ...
