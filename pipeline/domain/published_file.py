"""A file published for download, with its size and digests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A published file: ``size`` in bytes, digests in hex; None where the publisher does not state them.

    If ``sha256`` is None, the digest of the first accepted file is recorded, and later ones must match it. At most
    ``max_bytes`` are downloaded if the size is unknown.
    """

    name: str
    address: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    max_bytes: int = 8_000_000_000
