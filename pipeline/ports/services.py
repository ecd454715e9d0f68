"""Services outside of the database: object storage, model artefacts, photos and product databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.domain.product_source import Licence, ProductPage, ProductQuery, SourceCursor


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The key, size in bytes and media type of an object."""

    key: str
    size: int
    content_type: str


@dataclass(frozen=True, slots=True)
class PresignedPut:
    """A presigned upload, valid for ``expires_in`` seconds: PUT the bytes to ``url`` with exactly these ``headers``."""

    url: str
    headers: Mapping[str, str]
    expires_in: int


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """The bytes of a photo, and its storage key."""

    content: bytes
    storage_key: str


class ObjectStorage(Protocol):
    """Stores bytes by key. Every method raises StorageUnavailable when the storage does not answer."""

    def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Store the bytes atomically: a reader sees either the old bytes or the new ones."""
        ...

    def get(self, key: str, limit: int | None = None) -> bytes:
        """The bytes; raises NotFound without an object, InvalidInput when it has more than ``limit`` bytes."""
        ...

    def stat(self, key: str) -> StoredObject | None:
        """The size and media type of an object, or None."""
        ...

    def delete(self, key: str) -> None:
        """Delete an object; a missing key is not an error."""
        ...

    def keys(self, prefix: str) -> Iterator[StoredObject]:
        """The objects whose key has this prefix, sorted by key."""
        ...

    def presign_put(self, key: str, content_type: str, size: int, expires_in: int) -> PresignedPut:
        """Presign an upload of exactly this media type and size, which expires after ``expires_in`` seconds."""
        ...

    def ping(self) -> None:
        """Raise StorageUnavailable unless the storage answers."""
        ...


class ModelRegistry(Protocol):
    """Stores the files of model versions by name; they are verified by SHA-256 when loaded."""

    def save(self, version: str, files: Mapping[str, bytes]) -> Mapping[str, str]:
        """Store the files of a version; returns their SHA-256 digests by name."""
        ...

    def load(self, version: str, digests: Mapping[str, str]) -> dict[str, bytes]:
        """The files of a version; raises BadArtefact when a file does not match its digest."""
        ...


class Photos(Protocol):
    """Fetches photos by reference: a storage key or an address."""

    def fetch(self, reference: str, *, collected: bool = False) -> StoredPhoto:
        """The photo, copied to a content-addressed storage key; raises PermanentFailure or TransientFailure.

        ``collected`` means that the address comes from a product database, whose rate limits apply (RateLimited).
        """
        ...


class ProductSource(Protocol):
    """An external product database; all processes share the rate limits of its hosts."""

    @property
    def name(self) -> str:
        """Its name in commands and in the database, such as ``openfoodfacts``."""
        ...

    @property
    def licence(self) -> Licence:
        """The licence of its products."""
        ...

    def page(self, query: ProductQuery, cursor: SourceCursor | None) -> ProductPage:
        """The products after ``cursor``, up to the limit of the query.

        Raises SourceBusy when the next request has to wait, AddressUnavailable when the database does not answer
        properly, InvalidInput for a query that it cannot answer, CursorLost for a cursor that is no longer valid, and
        PermanentFailure when it refuses.
        """
        ...

    def delete_local_copies(self) -> None:
        """Delete the files kept for a run; called once its last page is imported."""
        ...
