"""What passes between the record and the steps: submissions and receipts, claimed jobs and their endings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.domain.job import JobKind, Priority
from pipeline.domain.listing import Content, ImageStatus, Verdict
from pipeline.domain.prediction import Decision, Prediction
from pipeline.domain.source import Provenance


@dataclass(frozen=True, slots=True)
class Submission:
    """A listing as somebody posts it."""

    external_id: str
    content: Content


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submission."""

    external_id: str
    listing_id: int
    revision_id: int
    number: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ArrivedRow:
    """One row of an import (its number, from 1): content, or the ``problem`` that leaves it without any.

    ``note`` says what else is worth knowing of it: a photo that is missing, a text that was changed on the way in.
    ``provenance`` is set where the content comes from a product database.
    """

    number: int
    external_id: str | None
    content: Content | None
    problem: str | None = None
    note: str | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class PressedRows:
    """Rows of an import, ``first`` to ``last``, made ready for the record to take in at once.

    ``content`` is in the record's own form. Of one id each row is taken in turn where the ``latest_wins``, at most
    ``turns`` after the first; else the first row only. ``taken`` counts the rows that are taken, and
    ``seller_categories`` are all that are named.
    """

    first: int
    last: int
    content: bytes
    latest_wins: bool
    turns: int
    taken: int
    seller_categories: frozenset[str | None]


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """The verdict on one row of an import; ``reason`` is set for rejected rows only."""

    number: int
    external_id: str | None
    verdict: Verdict
    listing_id: int | None = None
    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key: the same owner and key give the same answer; another body is a Conflict."""

    owner: int
    key: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class CurrentRevision:
    """The state of a listing under its row lock; ``revision_id`` is None for one that has no content yet."""

    listing_id: int
    revision_id: int | None
    number: int
    fingerprint: str | None
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class ImageToFetch:
    """An image of a claimed revision; ``storage_key`` is set when an earlier attempt stored it.

    ``collected`` tells that its address came from a product database, whose hosts are asked with courtesy.
    """

    image_id: int
    reference: str
    storage_key: str | None
    collected: bool = False


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """The model version a taxonomy points to, and the digests of its artefacts."""

    model_id: int
    version: str
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job of kind ``categorise`` in hand, with all its step needs to know; ``attempt`` fences what it writes."""

    job_id: int
    attempt: int
    failures: int
    listing_id: int
    revision_id: int
    taxonomy_id: int
    content: Content
    images: tuple[ImageToFetch, ...]
    model: ActiveModel | None


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A long job in hand: a training."""

    job_id: int
    attempt: int
    kind: JobKind
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LabelledListing:
    """A listing with a known category; ``photo`` is a storage key or an address, None when there is none."""

    listing_id: int
    external_id: str
    name: str
    description: str
    attributes: Mapping[str, str]
    category: str
    photo: str | None


@dataclass(frozen=True, slots=True)
class StoredImage:
    """What a fetch found out about an image."""

    image_id: int
    status: ImageStatus
    storage_key: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What an attempt found for one claimed job, ready to be written if the fence still holds.

    ``retry_in`` (seconds) keeps the job open: the decision, if any, is provisional. ``held`` says that nothing is
    wrong with the listing: the active model cannot be read (``error`` says why), and no failure is counted. Nor is one
    when it is ``put_off``: the host of its photo is asked later.
    """

    job: ClaimedJob
    decision: Decision | None
    predictions: tuple[Prediction, ...] = ()
    embeddings: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[StoredImage, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    retry_in: float | None = None
    error: str | None = None
    held: bool = False
    put_off: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids of jobs that travel in one message."""

    queue: str
    kind: JobKind
    priority: Priority
    job_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found: published but never claimed, claimed but died, given up."""

    unclaimed: int = 0
    died: int = 0
    dead: int = 0
