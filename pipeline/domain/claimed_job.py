"""Claimed jobs and what became of them: what passes between the claims of the store and the use cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.domain.job import JobKind, Priority
from pipeline.domain.listing import Content, ImageStatus
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.prediction import Decision, Prediction


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
class ClaimedLongJob:
    """A long job in hand: a training."""

    job_id: int
    attempt: int
    kind: JobKind
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredImage:
    """What a fetch found out about an image."""

    image_id: int
    status: ImageStatus
    storage_key: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptResult:
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
class SweepCounts:
    """What a sweep found: published but never claimed, claimed but died, given up."""

    unclaimed: int = 0
    died: int = 0
    dead: int = 0
