"""The rule for keys, shared by every storage, so that a key good for one is good for all."""

from __future__ import annotations

from pipeline.domain.errors import InvalidInput

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
