"""What the house needs from outside, as typed protocols; ``infra`` implements them, tests bring fakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day. Deadlines of jobs use Postgres's clock, never this one."""

    def now(self) -> datetime:
        """An aware datetime in UTC."""
        ...


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


class ObjectStorage(Protocol):
    """Bytes under keys. Every method raises StorageUnavailable when the storage does not answer."""

    def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Store atomically: a reader sees the old bytes or the new ones, never a part."""
        ...

    def get(self, key: str, limit: int | None = None) -> bytes:
        """The bytes; NotFound when there are none, InvalidInput when there are more than ``limit``."""
        ...

    def stat(self, key: str) -> StoredObject | None:
        """What is known of the key, or None."""
        ...

    def delete(self, key: str) -> None:
        """Remove; a key that does not exist is no error."""
        ...

    def keys(self, prefix: str) -> Iterator[StoredObject]:
        """Everything under a prefix, in order of key."""
        ...

    def presign_put(self, key: str, content_type: str, size: int, expires_in: int) -> PresignedPut:
        """A signed address that accepts exactly one body of this type and size, until it expires (seconds)."""
        ...

    def ping(self) -> None:
        """Raise StorageUnavailable unless the storage answers."""
        ...


class ModelRegistry(Protocol):
    """Model artefacts: named files of a version, verified by SHA-256 on the way out."""

    def save(self, version: str, files: Mapping[str, bytes]) -> Mapping[str, str]:
        """Store the files of a version; returns each name's SHA-256."""
        ...

    def load(self, version: str, digests: Mapping[str, str]) -> dict[str, bytes]:
        """The files of a version; BadArtefact when one differs from its digest."""
        ...
