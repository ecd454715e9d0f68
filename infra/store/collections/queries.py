"""Collections as lists show them, each with its latest import."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store.sql import visible_to
from pipeline.domain.errors import NotFound
from pipeline.domain.product_source import ProductQuery

SELECT_COLLECTIONS = """
    SELECT c.id, s.name AS source, c.database, c.query, c.schedule, c.paused, c.next_at, c.created_at,
           i.id AS last_import_id, i.status::text AS last_status, i.ended_at AS last_ended_at
    FROM collections c JOIN sources s ON s.id = c.source_id
    LEFT JOIN LATERAL (SELECT id, status, ended_at FROM imports WHERE collection_id = c.id ORDER BY id DESC LIMIT 1) i
         ON true
    WHERE (:every OR c.source_id = ANY(:sources))
"""


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection and its latest import, whose fields are None when there was none."""

    id: int
    source: str
    database: str
    query: ProductQuery
    schedule: str | None
    paused: bool
    next_at: datetime | None
    created_at: datetime
    last_import_id: int | None
    last_status: str | None
    last_ended_at: datetime | None


def list_collections(connection: Connection, source_ids: frozenset[int] | None) -> list[CollectionView]:
    """Collections into these sources (None: all), in the order they were made."""
    rows = connection.execute(text(f"{SELECT_COLLECTIONS} ORDER BY c.id"), visible_to(source_ids))
    return [_view(row) for row in rows]


def find_collection(
    connection: Connection, collection_id: int, source_ids: frozenset[int] | None = None
) -> CollectionView:
    """One collection into these sources (None: all); NotFound when there is none."""
    wanted = visible_to(source_ids) | {"id": collection_id}
    row = connection.execute(text(f"{SELECT_COLLECTIONS} AND c.id = :id"), wanted).first()
    if row is None:
        raise NotFound(f"there is no collection {collection_id}")
    return _view(row)


def _view(row: Row[Any]) -> CollectionView:
    return CollectionView(
        row.id,
        row.source,
        row.database,
        ProductQuery.of_json(row.query),
        row.schedule,
        row.paused,
        row.next_at,
        row.created_at,
        row.last_import_id,
        row.last_status,
        row.last_ended_at,
    )
