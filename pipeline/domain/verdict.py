"""Verdict: whether a posted listing or an imported row is new, changed, unchanged, rejected, or a variant.

``judge`` is the only implementation in Python. Large pages are judged in SQL (``infra/store/imports/bulk_import.py``),
which tests compare with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.listing import Content


class Verdict(StrEnum):
    """The outcome of a posted listing or an imported row."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    VARIANT = "variant"  # a row of a file that belongs to the listing of an earlier row


PRODUCT_VERDICTS = (Verdict.NEW, Verdict.CHANGED, Verdict.UNCHANGED, Verdict.REJECTED)  # products have no variants


@dataclass(frozen=True, slots=True)
class CurrentRevision:
    """The current revision of a listing; ``revision_id`` is None if the listing has no content yet."""

    listing_id: int
    revision_id: int | None
    number: int
    fingerprint: str | None
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a submission: its listing, the revision that is now current, and the verdict."""

    external_id: str
    listing_id: int
    revision_id: int
    number: int
    verdict: Verdict


def judge(current: CurrentRevision | None, content: Content | None) -> Verdict:
    """The verdict on new ``content`` for a listing.

    ``current`` is None if the listing does not exist, ``content`` None if it is unusable. Only the current revision is
    compared: content of an earlier revision is ``changed``. The content of a withdrawn listing is ``changed``, too, as
    posting it ends the withdrawal.
    """
    if content is None:
        return Verdict.REJECTED
    if current is None or current.revision_id is None:
        return Verdict.NEW
    if current.fingerprint == content.fingerprint() and not current.withdrawn:
        return Verdict.UNCHANGED
    return Verdict.CHANGED


class FirstRows:
    """The number of the first valid row of each external id, kept by an 8-byte hash in about 100 bytes per id.

    ``known`` are the external ids of earlier rows, with their row numbers.
    """

    def __init__(self, known: Iterable[tuple[str, int]] = ()) -> None:
        self._numbers = {hash_external_id(external_id): number for external_id, number in known}

    def add(self, external_id: str, number: int) -> int:
        """Record a row; returns the number of the first row of this id, which is ``number`` if the id is new."""
        return self._numbers.setdefault(hash_external_id(external_id), number)


def hash_external_id(external_id: str) -> bytes:
    """An 8-byte hash of an external id, used to keep millions of them in memory."""
    return hashlib.blake2b(external_id.encode(), digest_size=8).digest()
