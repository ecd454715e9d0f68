"""Published files with their sizes and digests, among them the weights of the pretrained networks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file as published: ``size`` in bytes, digests in hex; None where the publisher does not state it.

    A ``sha256`` of None is recorded from the first file that is accepted; later ones must match. At most ``most`` bytes
    are downloaded where the size is unknown.
    """

    name: str
    address: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    most: int = 8_000_000_000
