"""A file that somebody else publishes, and what it is known by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file as its publisher gives it: ``size`` in bytes, digests in hex; None where it was never published.

    A ``sha256`` of None is learned from the first file that is accepted; later ones are held to it. ``most`` bytes are
    taken of one whose size nobody published.
    """

    name: str
    address: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    most: int = 8_000_000_000
