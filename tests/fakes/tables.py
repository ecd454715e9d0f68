"""The tables of the in-memory store: what the repositories of one unit of work read and write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.domain.api_key import KeyRequest
from pipeline.domain.collection import CollectionRequest
from pipeline.domain.decision import Decision
from pipeline.domain.import_run import ImportRequest, ImportRun, ImportStatus, RowVerdict
from pipeline.domain.job import AnnouncedWorker, AttemptOutcome, JobKind, JobState, Priority, Queue, queue_of
from pipeline.domain.listing import Content, ImageStatus
from pipeline.domain.model_version import ActiveModel, ModelStatus
from pipeline.domain.prediction import Modality, Prediction
from pipeline.domain.product_source import Provenance
from pipeline.domain.retention import ExpiringRows
from pipeline.domain.rule import RuleStatus
from pipeline.domain.source import Source
from pipeline.domain.study import StudyRequest, StudyStatus
from pipeline.domain.taxonomy import CategoryEntry
from pipeline.ports.repositories import StoredAnswer


@dataclass
class StoredListing:
    """A listing; ``revision_id`` is its current revision, None until it has one."""

    id: int
    source_id: int
    external_id: str
    revision_id: int | None = None
    withdrawn: bool = False
    status: str = "pending"
    category: str | None = None
    reviewed: bool = False


@dataclass(frozen=True)
class StoredRevision:
    """A numbered content of a listing."""

    id: int
    listing_id: int
    number: int
    content: Content


@dataclass
class StoredImage:
    """An image of a revision, by its position."""

    id: int
    revision_id: int
    reference: str
    status: ImageStatus = ImageStatus.PENDING
    storage_key: str | None = None
    reason: str | None = None


@dataclass
class StoredJob:
    """A job of the outbox; times in seconds of the store's clock."""

    id: int
    kind: JobKind
    priority: Priority
    listing_id: int | None = None
    revision_id: int | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    unique_key: str | None = None
    state: JobState = JobState.WAITING
    note: str | None = None
    attempt: int = 0
    failures: int = 0
    deaths_alone: int = 0
    alone: bool = False
    progress: float | None = None
    created_at: float = 0.0
    not_before: float = 0.0
    deadline: float | None = None
    leased_at: float = 0.0
    worker: str | None = None

    @property
    def queue(self) -> Queue:
        """The queue that carries the job."""
        return queue_of(self.kind, self.priority)


@dataclass
class StoredAttempt:
    """A claim of a job; ``outcome`` is None until it has ended."""

    job_id: int
    attempt: int
    worker: str
    outcome: AttemptOutcome | None = None
    error: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass
class StoredDeadLetter:
    """A job that was given up."""

    id: int
    job_id: int
    reason: str
    replayed: bool = False


@dataclass
class StoredWorker:
    """A worker that announced itself."""

    worker: AnnouncedWorker
    seen_at: float
    seconds_per_listing: float | None = None


@dataclass(frozen=True)
class StoredReview:
    """A person's category for a revision."""

    listing_id: int
    revision_id: int | None
    category: str
    reviewer: str
    note: str


@dataclass
class StoredImport:
    """An import; the number of its last row is ``run.row``. It did something last at ``active_at``."""

    run: ImportRun
    request: ImportRequest
    status: ImportStatus = ImportStatus.RUNNING
    note: str | None = None
    summary: dict[str, Any] | None = None
    ended_at: int | None = None
    waits: bool = False
    vanished: list[RowVerdict] | None = None
    came_back: list[RowVerdict] | None = None
    active_at: float = 0.0


@dataclass
class StoredRule:
    """A rule; the shares are None unless it was proposed."""

    id: int
    source_id: int
    source_category: str
    category: str | None
    status: RuleStatus
    decided_by: str | None = None
    score: float | None = None
    support: int = 0


@dataclass
class StoredCollection:
    """A collection; ``next_at`` is by the store's clock."""

    id: int
    request: CollectionRequest
    schedule: str | None
    paused: bool = False
    next_at: datetime | None = None


@dataclass
class StoredKey:
    """An API key."""

    id: int
    request: KeyRequest
    secret_hash: str
    source_ids: tuple[int, ...]
    revoked: bool = False


@dataclass
class StoredModel:
    """A model version; ``retired`` counts the retirements so far, so that the latest is known."""

    id: int
    taxonomy_id: int
    number: int
    manifest: dict[str, Any]
    status: ModelStatus = ModelStatus.CANDIDATE
    retired: int = 0


@dataclass
class StoredStudy:
    """A study."""

    id: int
    request: StudyRequest
    status: StudyStatus = StudyStatus.RUNNING
    days_ended: int = 0


@dataclass
class Tables:
    """Everything the store holds.

    Ids are given by one counter: an id of another table is never right, and what has the lower id was written first.
    ``active_models``, ``categories`` and ``retired`` are by taxonomy, ``category_texts`` by taxonomy and path (of those
    that have any), ``decisions`` by revision and model version, ``expiring`` are the ages of rows in days.
    ``taxonomies`` are those that were added without a source. ``now`` is the store's clock.
    """

    sources: dict[int, Source] = field(default_factory=dict)
    listings: dict[int, StoredListing] = field(default_factory=dict)
    revisions: dict[int, StoredRevision] = field(default_factory=dict)
    jobs: dict[int, StoredJob] = field(default_factory=dict)
    reviews: list[StoredReview] = field(default_factory=list)
    images: dict[int, StoredImage] = field(default_factory=dict)
    attempts: dict[tuple[int, int], StoredAttempt] = field(default_factory=dict)
    dead_letters: list[StoredDeadLetter] = field(default_factory=list)
    workers: dict[str, StoredWorker] = field(default_factory=dict)
    active_models: dict[int, ActiveModel] = field(default_factory=dict)
    model_problems: dict[int, str | None] = field(default_factory=dict)
    predictions: dict[tuple[int, int | None, Modality], Prediction] = field(default_factory=dict)
    decisions: dict[tuple[int, int | None], Decision] = field(default_factory=dict)
    events: list[tuple[str, int]] = field(default_factory=list)
    provenances: dict[int, Provenance] = field(default_factory=dict)
    imports: dict[int, StoredImport] = field(default_factory=dict)
    import_rows: dict[tuple[int, int], RowVerdict] = field(default_factory=dict)
    answers: dict[tuple[int, str], tuple[str, StoredAnswer | None]] = field(default_factory=dict)
    taxonomies: dict[int, str] = field(default_factory=dict)
    categories: dict[int, set[str]] = field(default_factory=dict)
    category_texts: dict[tuple[int, str], CategoryEntry] = field(default_factory=dict)
    retired: dict[int, set[str]] = field(default_factory=dict)
    rules: dict[int, StoredRule] = field(default_factory=dict)
    collections: dict[int, StoredCollection] = field(default_factory=dict)
    keys: dict[int, StoredKey] = field(default_factory=dict)
    models: dict[int, StoredModel] = field(default_factory=dict)
    studies: dict[int, StoredStudy] = field(default_factory=dict)
    expiring: dict[ExpiringRows, list[int]] = field(default_factory=dict)
    relay_notified: int = 0
    last_id: int = 0
    now: float = 0.0

    @property
    def moment(self) -> datetime:
        """The store's clock as a date, from 2020 on."""
        return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now)

    def next_id(self) -> int:
        """A new id."""
        self.last_id += 1
        return self.last_id
