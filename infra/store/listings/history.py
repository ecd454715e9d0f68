"""The history of a listing: everything that happened to it, from its posting to its decisions and reviews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, TextClause, text

from infra.store.listings.queries import ListingCard, find_listing
from pipeline.domain.decision import level_of, open_level

MAX_EVENTS = 200

SELECT_REVISIONS = text(
    """
    SELECT id, number, name, description, attributes, seller_category, fingerprint, created_at
    FROM revisions WHERE listing_id = :id ORDER BY number DESC
    """
)
SELECT_IMAGES = text(
    """
    SELECT i.revision_id, i.position, i.reference, CAST(i.status AS text) AS status, i.reason, i.coded_reason
    FROM images i JOIN revisions r ON r.id = i.revision_id WHERE r.listing_id = :id ORDER BY i.revision_id, i.position
    """
)
SELECT_PREDICTIONS = text(
    """
    SELECT p.revision_id, m.id AS model_id, m.number AS model, CAST(m.status AS text) AS model_status,
           CAST(p.modality AS text) AS modality, p.ranked, p.created_at
    FROM predictions p JOIN revisions r ON r.id = p.revision_id LEFT JOIN model_versions m ON m.id = p.model_id
    WHERE r.listing_id = :id ORDER BY p.revision_id, m.number DESC NULLS LAST, p.modality
    """
)
SELECT_DECISIONS = text(
    """
    SELECT d.revision_id, d.model_id, m.number AS model, CAST(d.status AS text) AS status, d.category, d.confidence,
           d.reason, d.coded_reason, d.provisional, d.created_at
    FROM decisions d JOIN revisions r ON r.id = d.revision_id LEFT JOIN model_versions m ON m.id = d.model_id
    WHERE r.listing_id = :id ORDER BY d.revision_id, d.created_at DESC, d.id DESC
    """
)
SELECT_JOBS = text(
    """
    SELECT id, revision_id, CAST(priority AS text) AS priority, CAST(queue AS text) AS queue,
           CAST(state AS text) AS state, attempt, failures, alone, note, not_before, created_at, ended_at
    FROM jobs WHERE revision_id IN (SELECT id FROM revisions WHERE listing_id = :id) ORDER BY id DESC
    """
)
SELECT_ATTEMPTS = text(
    """
    SELECT a.job_id, a.attempt, a.worker, CAST(a.outcome AS text) AS outcome, a.error, a.seconds, a.started_at,
           a.ended_at
    FROM attempts a JOIN jobs j ON j.id = a.job_id
    WHERE j.revision_id IN (SELECT id FROM revisions WHERE listing_id = :id) ORDER BY a.job_id, a.attempt
    """
)
SELECT_REVIEWS = text(
    """
    SELECT v.id, r.number AS revision, v.category, v.reviewer, v.note, v.created_at
    FROM reviews v JOIN revisions r ON r.id = v.revision_id WHERE v.listing_id = :id ORDER BY v.id DESC
    """
)
# An unchanged provenance is not written again, so the latest import tells when the product was last seen.
SELECT_PROVENANCE = text(
    """
    SELECT p.database, p.address, p.categories, p.modified_at, coalesce(i.imported_at, p.seen_at) AS seen_at,
           i.import_id
    FROM provenances p LEFT JOIN LATERAL (
        SELECT m.id AS import_id, coalesce(m.ended_at, now()) AS imported_at FROM import_rows r
        JOIN imports m ON m.id = r.import_id WHERE r.listing_id = p.listing_id ORDER BY m.id DESC LIMIT 1) i ON true
    WHERE p.listing_id = :id
    """
)
SELECT_EVENTS = text(
    f"""
    SELECT id, CAST(kind AS text) AS kind, payload, created_at FROM events WHERE listing_id = :id
    ORDER BY id DESC LIMIT {MAX_EVENTS}
    """
)


@dataclass(frozen=True, slots=True)
class ImageOfRevision:
    """An image of a revision: the reference that the seller gave, and whether it was fetched."""

    position: int
    reference: str
    status: str
    reason: str | None
    coded_reason: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class RankedCategory:
    """A category with the probability that a model gives it."""

    category: str
    probability: float


@dataclass(frozen=True, slots=True)
class PredictionOfRevision:
    """The prediction of a model version by one modality, best category first.

    ``model_id``, its number and status are None where the categories were ranked by their names, without a model.
    """

    model_id: int | None
    model: int | None
    model_status: str | None
    modality: str
    ranked: list[RankedCategory]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DecisionOfRevision:
    """A decision; ``model`` is the number of the model version, None if no model decided.

    ``level`` is that of the category; ``open_level`` the first one below that is left open, None if there is none.
    """

    model_id: int | None
    model: int | None
    status: str
    category: str | None
    confidence: float | None
    reason: str
    coded_reason: Mapping[str, Any] | None
    provisional: bool
    created_at: datetime
    level: int | None = field(init=False)
    open_level: int | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", level_of(self.category))
        object.__setattr__(self, "open_level", open_level(self.coded_reason))


@dataclass(frozen=True, slots=True)
class AttemptOfJob:
    """An attempt with the seconds of each of its stages."""

    attempt: int
    worker: str
    outcome: str | None
    error: str | None
    seconds: Mapping[str, float] | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobOfRevision:
    """A job that decides a revision, with its attempts."""

    id: int
    priority: str
    queue: str
    state: str
    attempt: int
    failures: int
    alone: bool
    note: str | None
    not_before: datetime
    created_at: datetime
    ended_at: datetime | None
    attempts: list[AttemptOfJob]


@dataclass(frozen=True, slots=True)
class RevisionHistory:
    """A revision with everything derived from it; jobs, decisions and predictions newest first."""

    id: int
    number: int
    name: str
    description: str
    attributes: Mapping[str, str]
    seller_category: str | None
    fingerprint: str
    created_at: datetime
    images: list[ImageOfRevision]
    predictions: list[PredictionOfRevision]
    decisions: list[DecisionOfRevision]
    jobs: list[JobOfRevision]


@dataclass(frozen=True, slots=True)
class ReviewOfListing:
    """A reviewer's category for a listing; ``revision`` is the number of the reviewed revision."""

    id: int
    revision: int
    category: str
    reviewer: str
    note: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EventOfListing:
    """An event with its payload."""

    id: int
    kind: str
    payload: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ListingProvenance:
    """Where a collected listing comes from, when it was last seen there, and by which import."""

    database: str
    address: str
    categories: list[str]
    modified_at: datetime | None
    seen_at: datetime
    import_id: int | None


@dataclass(frozen=True, slots=True)
class ListingHistory:
    """A listing with its revisions, reviews and events, newest first; ``provenance`` is None unless collected."""

    card: ListingCard
    revisions: list[RevisionHistory]
    reviews: list[ReviewOfListing]
    events: list[EventOfListing]
    provenance: ListingProvenance | None


def find_history(
    connection: Connection, listing_id: int, source_ids: frozenset[int] | None = None
) -> ListingHistory | None:
    """The history of a listing of these sources (None: all), or None."""
    card = find_listing(connection, listing_id, source_ids)
    if card is None:
        return None
    attempts = _by_parent(connection, SELECT_ATTEMPTS, listing_id, "job_id", AttemptOfJob)
    jobs: dict[int, list[JobOfRevision]] = defaultdict(list)
    for row in connection.execute(SELECT_JOBS, {"id": listing_id}).mappings():
        fields = dict(row)
        jobs[fields.pop("revision_id")].append(JobOfRevision(**fields, attempts=attempts[row["id"]]))
    predictions: dict[int, list[PredictionOfRevision]] = defaultdict(list)
    for row in connection.execute(SELECT_PREDICTIONS, {"id": listing_id}).mappings():
        fields = dict(row)
        ranked = [RankedCategory(category, probability) for category, probability in fields.pop("ranked")]
        predictions[fields.pop("revision_id")].append(PredictionOfRevision(**fields, ranked=ranked))
    images = _by_parent(connection, SELECT_IMAGES, listing_id, "revision_id", ImageOfRevision)
    decisions = _by_parent(connection, SELECT_DECISIONS, listing_id, "revision_id", DecisionOfRevision)
    revisions = [
        RevisionHistory(
            **row,
            images=images[row["id"]],
            predictions=predictions[row["id"]],
            decisions=decisions[row["id"]],
            jobs=jobs[row["id"]],
        )
        for row in connection.execute(SELECT_REVISIONS, {"id": listing_id}).mappings()
    ]
    reviews = connection.execute(SELECT_REVIEWS, {"id": listing_id}).mappings()
    events = connection.execute(SELECT_EVENTS, {"id": listing_id}).mappings()
    provenance = connection.execute(SELECT_PROVENANCE, {"id": listing_id}).mappings().first()
    return ListingHistory(
        card,
        revisions,
        [ReviewOfListing(**row) for row in reviews],
        [EventOfListing(**row) for row in events],
        None if provenance is None else ListingProvenance(**provenance),
    )


Child = TypeVar("Child")


def _by_parent(
    connection: Connection, statement: TextClause, listing_id: int, foreign_key: str, kind: type[Child]
) -> defaultdict[int, list[Child]]:
    """Rows of a listing as objects, by the id of the row they belong to."""
    children: defaultdict[int, list[Child]] = defaultdict(list)
    for row in connection.execute(statement, {"id": listing_id}).mappings():
        fields = dict(row)
        children[fields.pop(foreign_key)].append(kind(**fields))
    return children
