"""Verdict: whether a posted listing or an imported row is new, changed, unchanged or rejected.

This is the only place where that is decided. Large pages are judged in SQL
(``infra/store/imports/bulk_import.py``), which tests compare with this rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.listing import Content


class Verdict(StrEnum):
    """The outcome of a post or of an imported row."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class CurrentRevision:
    """The current revision of a listing; ``revision_id`` is None for a listing that has no content yet."""

    listing_id: int
    revision_id: int | None
    number: int
    fingerprint: str | None
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a submission: its listing, the revision that is current now, and the verdict."""

    external_id: str
    listing_id: int
    revision_id: int
    number: int
    verdict: Verdict


def judge(current: CurrentRevision | None, content: Content | None) -> Verdict:
    """The verdict on content that arrives for a listing (None: there is no such listing, or no usable content).

    Only the current revision counts: content that an earlier revision had is ``changed``. So is the same content for a
    withdrawn listing, which it brings back.
    """
    if content is None:
        return Verdict.REJECTED
    if current is None or current.revision_id is None:
        return Verdict.NEW
    if current.fingerprint == content.fingerprint() and not current.withdrawn:
        return Verdict.UNCHANGED
    return Verdict.CHANGED


class FirstRows:
    """The number of the first good row of each external id, in about 100 bytes an id: 8 of them a hash of it.

    ``known`` are earlier ids with their row numbers.
    """

    def __init__(self, known: Iterable[tuple[str, int]] = ()) -> None:
        self._numbers = {hash_external_id(external_id): number for external_id, number in known}

    def add(self, external_id: str, number: int) -> int:
        """The first row of this id, which is ``number`` itself when the id is new."""
        return self._numbers.setdefault(hash_external_id(external_id), number)


def hash_external_id(external_id: str) -> bytes:
    """An 8-byte hash of an external id, for keeping millions of them in memory."""
    return hashlib.blake2b(external_id.encode(), digest_size=8).digest()
