"""The interface that both storages implement, with transfers of large files, and the rules for object keys."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pipeline.domain.errors import InvalidInput
from pipeline.ports.services import ObjectStorage


class FileTransferStorage(ObjectStorage, Protocol):
    """Object storage that also transfers files in chunks, for the weights of networks."""

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """Like ``put``, from a file that is read in chunks."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to ``path`` in chunks (not atomically: pass a temporary path). Raises NotFound."""
        ...


MAX_KEY_BYTES = 700
MAX_PART_BYTES = 80


def check_key(key: str) -> str:
    """Return the key; raise InvalidInput when it could leave its folder or one of the storages cannot use it.

    A key consists of parts joined by ``/``: no empty part, no ``.`` or ``..``, no control character and no backslash,
    at most 80 bytes per part (so that the percent-encoded part still fits a file name) and 700 bytes in all.
    """
    if len(key.encode(errors="replace")) > MAX_KEY_BYTES:
        raise InvalidInput(f"a storage key has at most {MAX_KEY_BYTES} bytes")
    for part in key.split("/"):
        if part in {"", ".", ".."}:
            raise InvalidInput(f"the storage key {key!r} cannot be used: a part is empty or made of dots")
        if not part.isprintable() or "\\" in part:
            raise InvalidInput(f"the storage key {key!r} cannot be used: it has a control character or a backslash")
        if len(part.encode(errors="replace")) > MAX_PART_BYTES:
            raise InvalidInput(f"a part of a storage key has at most {MAX_PART_BYTES} bytes: {part[:20]}…")
    return key
