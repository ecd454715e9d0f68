"""Objects of the object storage: their facts, upload permissions, and photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The facts of an object: key, size in bytes, media type."""

    key: str
    size: int
    content_type: str


@dataclass(frozen=True, slots=True)
class PresignedPut:
    """A request that anyone may send for ``expires_in`` seconds: PUT the bytes to ``url`` with exactly ``headers``."""

    url: str
    headers: Mapping[str, str]
    expires_in: int


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """The bytes of a photo, and its key in the storage."""

    content: bytes
    storage_key: str
