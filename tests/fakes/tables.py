"""The tables of the in-memory store: what the repositories of one unit of work read and write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.domain.idempotency import Answer
from pipeline.domain.import_run import ImportRun, ImportStatus, RowVerdict
from pipeline.domain.job import JobKind, JobState, Priority
from pipeline.domain.listing import Content
from pipeline.domain.product_source import Provenance
from pipeline.domain.source import Source


@dataclass
class StoredListing:
    """A listing; ``revision_id`` is its current revision, None until it has one."""

    id: int
    source_id: int
    external_id: str
    revision_id: int | None = None
    withdrawn: bool = False
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
class StoredJob:
    """A job of the outbox."""

    id: int
    kind: JobKind
    priority: Priority
    listing_id: int | None = None
    revision_id: int | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    unique_key: str | None = None
    state: JobState = JobState.WAITING
    note: str | None = None


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
    """An import; the number of its last row is ``run.row``."""

    run: ImportRun
    source_id: int
    status: ImportStatus = ImportStatus.RUNNING
    note: str | None = None


@dataclass
class Tables:
    """Everything the store holds. Ids are given by one counter, so that an id of another table is never right."""

    sources: dict[int, Source] = field(default_factory=dict)
    listings: dict[int, StoredListing] = field(default_factory=dict)
    revisions: dict[int, StoredRevision] = field(default_factory=dict)
    jobs: dict[int, StoredJob] = field(default_factory=dict)
    reviews: list[StoredReview] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)
    provenances: dict[int, Provenance] = field(default_factory=dict)
    imports: dict[int, StoredImport] = field(default_factory=dict)
    import_rows: dict[tuple[int, int], RowVerdict] = field(default_factory=dict)
    answers: dict[tuple[int, str], tuple[str, Answer | None]] = field(default_factory=dict)
    relay_notified: int = 0
    last_id: int = 0

    def next_id(self) -> int:
        """A new id."""
        self.last_id += 1
        return self.last_id
