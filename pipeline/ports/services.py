"""Services outside the database: object storage, model artefacts, photos and product databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.domain.product_source import Licence, ProductPage, ProductQuery, SourceCursor


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


class ObjectStorage(Protocol):
    """Bytes under keys. Every method raises StorageUnavailable when the storage does not answer."""

    def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Store atomically: a reader sees the old bytes or the new ones, never a part."""
        ...

    def get(self, key: str, limit: int | None = None) -> bytes:
        """The bytes; NotFound when there are none, InvalidInput when there are more than ``limit``."""
        ...

    def stat(self, key: str) -> StoredObject | None:
        """Size and media type of the object, or None."""
        ...

    def delete(self, key: str) -> None:
        """Remove; a key that does not exist is no error."""
        ...

    def keys(self, prefix: str) -> Iterator[StoredObject]:
        """The objects under a prefix, in order of key."""
        ...

    def presign_put(self, key: str, content_type: str, size: int, expires_in: int) -> PresignedPut:
        """A signed address that accepts one upload of exactly this type and size, until it expires (seconds)."""
        ...

    def ping(self) -> None:
        """Raise StorageUnavailable unless the storage answers."""
        ...


class ModelRegistry(Protocol):
    """Model artefacts: named files of a version, verified by SHA-256 when they are loaded."""

    def save(self, version: str, files: Mapping[str, bytes]) -> Mapping[str, str]:
        """Store the files of a version; returns each name's SHA-256."""
        ...

    def load(self, version: str, digests: Mapping[str, str]) -> dict[str, bytes]:
        """The files of a version; BadArtefact when one differs from its digest."""
        ...


class Photos(Protocol):
    """Photos by their references: a storage key or an address."""

    def fetch(self, reference: str, *, collected: bool = False) -> StoredPhoto:
        """The bytes, copied to a key of their own; PermanentFailure or TransientFailure when that fails.

        ``collected``: the address came from a product database, whose rate limits apply; RateLimited may be raised.
        """
        ...


class ProductSource(Protocol):
    """An external product database; all processes together respect the rate limits of its hosts."""

    @property
    def name(self) -> str:
        """Its name in commands and in the database, such as ``openfoodfacts``."""
        ...

    @property
    def licence(self) -> Licence:
        """The terms of its products."""
        ...

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The products after ``cursor``, at most as many as the query's limit leaves.

        Raises SourceBusy when the next request has to wait, AddressUnavailable when it does not answer properly,
        InvalidInput for a query it cannot answer, PermanentFailure when it refuses.
        """
        ...

    def delete_local_copies(self) -> None:
        """Delete the files kept for a run; called once its last page is imported."""
        ...
