"""Perceptual hash of a photo: copies that were resized or saved again have equal or nearly equal hashes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HASH_SIZE = 16  # the hash has 16 times 16 bits
MAX_DISTANCE = 15  # differing bits of two copies of a photo; different products on white differ by 40 and more
_BANDS = 16  # of 16 bits: two hashes that differ in at most 15 bits have one band in common
_DRAFT_SIDE = 128  # pixels


def perceptual_hash(content: bytes) -> bytes | None:
    """The DCT hash (imagehash's ``phash``) of a photo, 32 bytes; None when it cannot be decoded, or shows one colour.

    JPEG files are decoded at reduced size, since the hash looks at 64 times 64 pixels.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.draft("L", (_DRAFT_SIDE, _DRAFT_SIDE))
            grey = image.convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    low, high = grey.getextrema()
    if low == high:
        return None
    return np.packbits(imagehash.phash(grey, hash_size=HASH_SIZE).hash).tobytes()


def near_equal_pairs(hashes: Sequence[bytes | None]) -> list[tuple[int, int]]:
    """Pairs of positions whose hashes differ in at most MAX_DISTANCE bits: each with the first one of its band."""
    known = [at for at, each in enumerate(hashes) if each is not None]
    if len(known) < 2:
        return []
    bits = np.frombuffer(b"".join(each for each in hashes if each is not None), np.uint8).reshape(len(known), -1)
    pairs: set[tuple[int, int]] = set()
    for band in np.split(bits, _BANDS, axis=1):
        keys = np.ascontiguousarray(band).view(np.uint16).ravel()
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])
        for start, end in zip(starts, np.r_[starts[1:], len(order)], strict=True):
            if end - start > 1:
                pairs.update(_close_pairs(bits, order[start:end]))
    return sorted((known[one], known[other]) for one, other in pairs)


def _close_pairs(bits: NDArray[np.uint8], members: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The members that are close to the first one, to the first of the rest, and so on."""
    pairs = []
    while len(members) > 1:
        first, others = int(members[0]), members[1:]
        distance = np.bitwise_count(bits[others] ^ bits[first]).sum(axis=1)
        close = distance <= MAX_DISTANCE
        pairs += [(first, int(other)) for other in others[close]]
        members = others[~close]
        if not close.any() and len(members) > 500:  # a band that many photos share, such as that of a white border
            break
    return pairs
