"""Claimed jobs and the results of their attempts, as exchanged between the store and the use cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.domain.decision import Decision
from pipeline.domain.job import JobKind, Retry
from pipeline.domain.listing import Content, ImageStatus
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.prediction import Prediction
from pipeline.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt of a worker at a job; its writes are committed only while the claim holds."""

    job_id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class ImageToFetch:
    """An image of a claimed revision; ``storage_key`` is set if an earlier attempt stored it.

    The address of a ``collected`` image comes from a product database, whose rate limits apply.
    """

    image_id: int
    reference: str
    storage_key: str | None
    collected: bool = False


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A claimed job of kind ``categorise``, with all data that its use case needs.

    ``retired`` are the retired categories of the taxonomy.
    """

    job_id: int
    attempt: int
    failures: int
    listing_id: int
    revision_id: int
    taxonomy_id: int
    content: Content
    images: tuple[ImageToFetch, ...]
    model: ActiveModel | None
    retired: frozenset[str] = frozenset()

    @property
    def model_id(self) -> int | None:
        """The model version to use; None if the taxonomy has none yet."""
        return self.model.model_id if self.model else None

    @property
    def claim(self) -> Claim:
        """The claim that the writes of this attempt are checked against."""
        return Claim(self.job_id, self.attempt)


@dataclass(frozen=True, slots=True)
class ImageResult:
    """The result of fetching an image."""

    image_id: int
    status: ImageStatus
    storage_key: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The result of an attempt at one job, written only while its claim holds.

    With a ``retry`` the job stays open, and its decision is provisional. ``seconds`` are the times by stage.
    """

    job: ClaimedJob
    decision: Decision | None
    predictions: tuple[Prediction, ...] = ()
    embeddings: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[ImageResult, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    retry: Retry | None = None

    @property
    def model_id(self) -> int | None:
        """The model version that was used; None if the taxonomy had none yet."""
        return self.job.model_id


@dataclass(frozen=True, slots=True)
class ClaimedLongJob:
    """A claimed long job: a training, a purge, a job of a study, an import, or rule proposals."""

    job_id: int
    attempt: int
    kind: JobKind
    payload: Mapping[str, Any]

    @property
    def claim(self) -> Claim:
        """The claim that the writes of this attempt are checked against."""
        return Claim(self.job_id, self.attempt)


@dataclass(frozen=True, slots=True)
class LongJobResult:
    """The result of a long job: done, or failed with an ``error`` and retried unless that is ``permanent``.

    ``note`` is a sentence for users; ``error`` may be a traceback.
    """

    note: Reason
    error: str | None = None
    permanent: bool = False
