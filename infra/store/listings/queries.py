"""Lists of listings: filtered, newest first; the review queue, least certain first; the state of one revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

CARD = """
    SELECT l.id, l.external_id, s.name AS source, l.source_id, coalesce(r.name, '') AS name, l.status, l.category,
           l.confidence, l.reviewed, r.number AS revision, r.seller_category, l.created_at, l.updated_at,
           (SELECT min(i.position) FROM images i WHERE i.revision_id = r.id AND i.status = 'stored') AS image
    FROM listings l JOIN sources s ON s.id = l.source_id LEFT JOIN revisions r ON r.id = l.current_revision_id
"""
ONE = text(CARD + " WHERE l.id = :id")
STATE = text(
    """
    SELECT d.status, d.category, d.confidence, d.reason, d.coded_reason, d.provisional, d.model_id, m.number AS model
    FROM decisions d LEFT JOIN model_versions m ON m.id = d.model_id
    WHERE d.revision_id = :revision ORDER BY d.created_at DESC, d.id DESC LIMIT 1
    """
)


@dataclass(frozen=True, slots=True)
class ListingFilter:
    """What a list is narrowed to; None leaves a field open.

    ``source_ids`` are the sources the asker may see (None: every one). ``category`` covers everything below it.
    Without ``status``, withdrawn listings are left out.
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


def find_listings(
    connection: Connection, narrowed: ListingFilter, before_id: int | None, limit: int
) -> list[dict[str, Any]]:
    """Cards of listings, newest first, of ids below ``before_id``."""
    conditions, parameters = _conditions(narrowed)
    if before_id is not None:
        conditions.append("l.id < :before_id")
        parameters["before_id"] = before_id
    return _cards(connection, conditions, "l.id DESC", parameters, limit)


def review_queue(
    connection: Connection, source_ids: frozenset[int] | None, after: tuple[float, int] | None, limit: int
) -> list[dict[str, Any]]:
    """Cards of listings that need a person, least certain first, beyond ``after`` (confidence, id)."""
    conditions, parameters = _conditions(ListingFilter(source_ids=source_ids, status="needs_review"))
    conditions.append("l.confidence IS NOT NULL")
    if after is not None:
        conditions.append("(l.confidence, l.id) > (:confidence, :after_id)")
        parameters |= {"confidence": after[0], "after_id": after[1]}
    return _cards(connection, conditions, "l.confidence, l.id", parameters, limit)


def find_card(connection: Connection, listing_id: int, source_ids: frozenset[int] | None) -> dict[str, Any] | None:
    """One card; None when there is no such listing, or none of these sources."""
    row = connection.execute(ONE, {"id": listing_id}).mappings().first()
    if row is None or (source_ids is not None and row["source_id"] not in source_ids):
        return None
    return dict(row)


def latest_decision(connection: Connection, revision_id: int) -> dict[str, Any] | None:
    """The decision that counts for a revision, or None while there is none."""
    row = connection.execute(STATE, {"revision": revision_id}).mappings().first()
    return None if row is None else dict(row)


def stored_image(connection: Connection, listing_id: int, position: int) -> str | None:
    """The storage key of an image of the current revision; None unless it was fetched."""
    key: str | None = connection.scalar(
        text(
            "SELECT i.storage_key FROM listings l JOIN images i ON i.revision_id = l.current_revision_id "
            "WHERE l.id = :id AND i.position = :position"
        ),
        {"id": listing_id, "position": position},
    )
    return key


def _cards(
    connection: Connection, conditions: Sequence[str], order: str, parameters: dict[str, Any], limit: int
) -> list[dict[str, Any]]:
    statement = text(f"{CARD} WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT :limit")
    return [dict(row) for row in connection.execute(statement, parameters | {"limit": limit}).mappings()]


def _conditions(narrowed: ListingFilter) -> tuple[list[str], dict[str, Any]]:
    """Only what is asked for goes into the statement, so that the planner sees which index helps."""
    offered: list[tuple[str, str, Any]] = [
        ("l.source_id = ANY(:source_ids)", "source_ids", narrowed.source_ids and sorted(narrowed.source_ids)),
        ("l.status = CAST(:status AS listing_status)", "status", narrowed.status),
        ("(l.category = :category OR starts_with(l.category, :category || ' >> '))", "category", narrowed.category),
        ("s.name = :source", "source", narrowed.source),
        ("l.confidence >= :min_confidence", "min_confidence", narrowed.min_confidence),
        ("l.confidence <= :max_confidence", "max_confidence", narrowed.max_confidence),
        ("to_tsvector('simple', l.search) @@ websearch_to_tsquery('simple', :words)", "words", narrowed.words),
        ("l.created_at > :created_after", "created_after", narrowed.created_after),
        ("l.created_at < :created_before", "created_before", narrowed.created_before),
        ("l.reviewed = :reviewed", "reviewed", narrowed.reviewed),
    ]
    chosen = [(sql, name, value) for sql, name, value in offered if value is not None]
    conditions = [sql for sql, _, _ in chosen] or ["true"]
    if narrowed.status is None:
        conditions.append("l.status <> 'withdrawn'")
    return conditions, {name: value for _, name, value in chosen}
