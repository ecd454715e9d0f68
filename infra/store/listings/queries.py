"""Listings as lists show them: filtered lists, the review queue, single listings, and counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from infra.store.sql_fragments import visible_to

LISTING_CARD = """
    SELECT l.id, l.external_id, s.name AS source, l.source_id, coalesce(r.name, '') AS name,
           CAST(l.status AS text) AS status, l.category, l.confidence, l.reviewed, r.number AS revision,
           r.seller_category, l.created_at, l.updated_at,
           (SELECT min(i.position) FROM images i WHERE i.revision_id = r.id AND i.status = 'stored') AS image
    FROM listings l JOIN sources s ON s.id = l.source_id LEFT JOIN revisions r ON r.id = l.current_revision_id
"""
SELECT_LISTING_CARD = text(LISTING_CARD + " WHERE l.id = :id")
SELECT_LATEST_DECISION = text(
    """
    SELECT CAST(d.status AS text) AS status, d.category, d.confidence, d.reason, d.coded_reason, d.provisional,
           m.number AS model
    FROM decisions d LEFT JOIN model_versions m ON m.id = d.model_id
    WHERE d.revision_id = :revision ORDER BY d.created_at DESC, d.id DESC LIMIT 1
    """
)
SELECT_IMAGE_KEY = text(
    """
    SELECT i.storage_key FROM listings l JOIN images i ON i.revision_id = l.current_revision_id
    WHERE l.id = :id AND i.position = :position
    """
)

COUNT_BY_STATUS = text(
    """
    SELECT v.status::text AS status, count(l.id) AS number FROM unnest(enum_range(NULL::listing_status)) AS v(status)
    LEFT JOIN (listings l JOIN sources s ON s.id = l.source_id) ON l.status = v.status
      AND (:every OR l.source_id = ANY(:sources))
      AND (CAST(:source AS text) IS NULL OR s.name = :source)
    GROUP BY v.status ORDER BY v.status
    """
)
SELECT_DATABASES = text("SELECT listing_id, database FROM provenances WHERE listing_id = ANY(:listings)")


@dataclass(frozen=True, slots=True)
class ListingCard:
    """A listing as lists show it. ``image`` is the position of a stored photo, ``revision`` the current number."""

    id: int
    external_id: str
    source: str
    source_id: int
    name: str
    status: str
    category: str | None
    confidence: float | None
    reviewed: bool
    revision: int | None
    seller_category: str | None
    created_at: datetime
    updated_at: datetime
    image: int | None


@dataclass(frozen=True, slots=True)
class DecisionView:
    """The decision on a revision; ``model`` is the number of the model version, None if no model decided."""

    status: str
    category: str | None
    confidence: float | None
    reason: str
    coded_reason: Mapping[str, Any] | None
    provisional: bool
    model: int | None


@dataclass(frozen=True, slots=True)
class ListingFilter:
    """Conditions on listings; None sets no condition.

    ``source_ids`` are the sources that may be seen. ``category`` includes the categories below it. Without ``status``,
    withdrawn listings are left out.
    """

    source_ids: frozenset[int] | None = None
    status: str | None = None
    category: str | None = None
    source: str | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    words: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    reviewed: bool | None = None


def list_listings(
    connection: Connection, listing_filter: ListingFilter, before_id: int | None, limit: int
) -> list[ListingCard]:
    """Listings with ids below ``before_id``, newest first."""
    conditions = _conditions(listing_filter)
    if before_id is not None:
        conditions = conditions.and_also("l.id < :before_id", before_id=before_id)
    return _cards(connection, conditions, "l.id DESC", limit)


def list_review_queue(
    connection: Connection, source_ids: frozenset[int] | None, after: tuple[float, int] | None, limit: int
) -> list[ListingCard]:
    """Listings that need a review, lowest confidence first, after the listing ``after`` (confidence, id)."""
    conditions = _conditions(ListingFilter(source_ids=source_ids, status="needs_review"))
    conditions = conditions.and_also("l.confidence IS NOT NULL")
    if after is not None:
        confidence, after_id = after
        after_condition = "(l.confidence, l.id) > (:confidence, :after_id)"
        conditions = conditions.and_also(after_condition, confidence=confidence, after_id=after_id)
    return _cards(connection, conditions, "l.confidence, l.id", limit)


def find_listing(connection: Connection, listing_id: int, source_ids: frozenset[int] | None) -> ListingCard | None:
    """A listing of these sources (None: all), or None."""
    row = connection.execute(SELECT_LISTING_CARD, {"id": listing_id}).mappings().first()
    if row is None or (source_ids is not None and row["source_id"] not in source_ids):
        return None
    return ListingCard(**row)


def find_latest_decision(connection: Connection, revision_id: int) -> DecisionView | None:
    """The latest decision on a revision, or None while there is none."""
    row = connection.execute(SELECT_LATEST_DECISION, {"revision": revision_id}).mappings().first()
    return None if row is None else DecisionView(**row)


def find_image_key(connection: Connection, listing_id: int, position: int) -> str | None:
    """The storage key of an image of the current revision; None unless it was fetched."""
    key: str | None = connection.scalar(SELECT_IMAGE_KEY, {"id": listing_id, "position": position})
    return key


@dataclass(frozen=True, slots=True)
class _Conditions:
    """Conditions of a statement, and their parameters."""

    terms: tuple[str, ...]
    parameters: dict[str, object]

    def and_also(self, term: str, **parameters: object) -> _Conditions:
        """These conditions and another one."""
        return _Conditions((*self.terms, term), {**self.parameters, **parameters})


def _conditions(listing_filter: ListingFilter) -> _Conditions:
    """The conditions that are set; others are left out of the statement, so that the planner can choose an index."""
    possible: list[tuple[str, str, Any]] = [
        (
            "l.source_id = ANY(:source_ids)",
            "source_ids",
            None if listing_filter.source_ids is None else sorted(listing_filter.source_ids),
        ),
        ("l.status = CAST(:status AS listing_status)", "status", listing_filter.status),
        (
            "(l.category = :category OR starts_with(l.category, :category || ' >> '))",
            "category",
            listing_filter.category,
        ),
        ("s.name = :source", "source", listing_filter.source),
        ("l.confidence >= :min_confidence", "min_confidence", listing_filter.min_confidence),
        ("l.confidence <= :max_confidence", "max_confidence", listing_filter.max_confidence),
        ("to_tsvector('simple', l.search) @@ websearch_to_tsquery('simple', :words)", "words", listing_filter.words),
        ("l.created_at > :created_after", "created_after", listing_filter.created_after),
        ("l.created_at < :created_before", "created_before", listing_filter.created_before),
        ("l.reviewed = :reviewed", "reviewed", listing_filter.reviewed),
    ]
    conditions = _Conditions(("l.status <> 'withdrawn'" if listing_filter.status is None else "true",), {})
    for term, name, value in possible:
        if value is not None:
            conditions = conditions.and_also(term, **{name: value})
    return conditions


def _cards(connection: Connection, conditions: _Conditions, order: str, limit: int) -> list[ListingCard]:
    statement = text(f"{LISTING_CARD} WHERE {' AND '.join(conditions.terms)} ORDER BY {order} LIMIT :limit")
    rows = connection.execute(statement, conditions.parameters | {"limit": limit}).mappings()
    return [ListingCard(**row) for row in rows]


def count_by_status(
    connection: Connection, source_ids: frozenset[int] | None = None, source: str | None = None
) -> dict[str, int]:
    """How many listings of the visible sources (None: all), or of one of them, have each status; 0 for none."""
    rows = connection.execute(COUNT_BY_STATUS, visible_to(source_ids) | {"source": source})
    return {row.status: row.number for row in rows}


def databases_of(connection: Connection, listing_ids: Iterable[int]) -> dict[int, str]:
    """The product database that each of these listings was collected from; other listings are left out."""
    return {
        row.listing_id: row.database for row in connection.execute(SELECT_DATABASES, {"listings": list(listing_ids)})
    }


# Listings, not withdrawn, that have no final decision of the active model yet.
COUNT_UNDECIDED_LISTINGS = text(
    """
    SELECT count(*) FROM listings l JOIN sources s ON s.id = l.source_id JOIN taxonomies t ON t.id = s.taxonomy_id
    WHERE s.name = :source AND l.withdrawn_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM decisions d WHERE d.revision_id = l.current_revision_id AND d.model_id = t.active_model_id
        AND NOT d.provisional)
    """
)


def count_undecided_listings(connection: Connection, source: str) -> int:
    """How many listings of a source have no final decision of the active model yet."""
    return int(connection.scalar(COUNT_UNDECIDED_LISTINGS, {"source": source}) or 0)
