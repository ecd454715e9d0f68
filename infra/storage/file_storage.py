"""What both storages share: the port for large files, and the rule for object keys."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pipeline.domain.errors import InvalidInput
from pipeline.ports.services import ObjectStorage


class FileStorage(ObjectStorage, Protocol):
    """Both adapters of this package; weights of networks go through it."""

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """Like ``put``, read from a file in pieces."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to ``path`` in pieces (not atomically: give a temporary path). NotFound when absent."""
        ...


MAX_KEY_BYTES = 700
MAX_PART_BYTES = 80


def check_key(key: str) -> str:
    """The key itself; InvalidInput when it could leave its folder or upset a storage.

    A key is parts joined by ``/``: no empty part, no ``.`` or ``..``, no control character and no backslash,
    at most 80 bytes a part (percent-encoded, a part then still fits a file name) and 700 bytes in all.
    """
    if len(key.encode(errors="replace")) > MAX_KEY_BYTES:
        raise InvalidInput(f"a storage key has at most {MAX_KEY_BYTES} bytes")
    for part in key.split("/"):
        if part in {"", ".", ".."}:
            raise InvalidInput(f"the storage key {key!r} is not usable: a part is empty or made of dots")
        if not part.isprintable() or "\\" in part:
            raise InvalidInput(f"the storage key {key!r} is not usable: it has a control character or a backslash")
        if len(part.encode(errors="replace")) > MAX_PART_BYTES:
            raise InvalidInput(f"a part of a storage key has at most {MAX_PART_BYTES} bytes: {part[:20]}…")
    return key
