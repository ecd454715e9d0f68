"""What is known of bytes in the object storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the storage knows of an object: key, size in bytes, media type."""

    key: str
    size: int
    content_type: str


@dataclass(frozen=True, slots=True)
class PresignedPut:
    """A request that anyone may make until it expires: PUT the bytes to ``url`` with exactly ``headers``."""

    url: str
    headers: Mapping[str, str]
    expires_in: int


@dataclass(frozen=True, slots=True)
class Photo:
    """An image in hand: its bytes, and the key it has in the storage from now on."""

    content: bytes
    storage_key: str
