"""Looking at the photos of many listings: several at once, a few ahead, never all held."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from threadpoolctl import threadpool_limits

from pipeline.domain.errors import BadImage
from pipeline.domain.listing import Evidence
from pipeline.features import photo_decoding
from pipeline.features.extractor import Photo
from pipeline.networks.precision import usable_cores

Progress = Callable[[float, str], None]
Seen = TypeVar("Seen")
# Decoding and describing leave Python's lock most of the time; more threads than this only take memory.
THREADS = min(usable_cores(), 4)
_AHEAD = 32


def look_at(
    evidences: Iterable[Evidence],
    count: int,
    look: Callable[[int, str, bytes], Seen],
    progress: Progress,
    note: str,
    span: tuple[float, float],
) -> Iterator[tuple[int, str, Seen]]:
    """Position, SHA-256 (hex) and what ``look`` makes of each photo, in order; listings without one are passed over.

    ``look`` gets the same two and the bytes, in a thread; ``count`` is how many listings there are, ``span`` the part
    of the whole that they are.
    """

    def seen(numbered: tuple[int, Evidence]) -> tuple[int, str, Seen] | None:
        at, evidence = numbered
        if evidence.photo is None:
            return None
        digest = hashlib.sha256(evidence.photo).hexdigest()
        return at, digest, look(at, digest, evidence.photo)

    remaining = enumerate(evidences)
    # The matrices of one photo are small: each thread computes on its own.
    with threadpool_limits(1), ThreadPoolExecutor(THREADS) as pool:
        while ahead := list(islice(remaining, _AHEAD)):
            at = ahead[0][0]
            progress(span[0] + (span[1] - span[0]) * at / count, f"{note} ({at} of {count})")
            yield from (found for found in pool.map(seen, ahead) if found is not None)


def decoded(content: bytes) -> Photo | None:
    """The picture, or None for bytes that are none."""
    try:
        return photo_decoding.decode_photo(content)
    except BadImage:
        return None
