"""Collections, queries to product databases that run on a schedule: table, repository and lists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ForeignKey, Row, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from infra.schedules import next_after
from infra.store.base import Base, CreatedAt, PrimaryKey, TextStr, Timestamp
from infra.store.sql_fragments import visible_to
from pipeline.domain.collection import Collection, CollectionRequest
from pipeline.domain.errors import NotFound
from pipeline.domain.product_source import ProductQuery


class CollectionRow(Base):
    """A query to a product database that is repeated on a schedule or on request; its runs are imports.

    ``database`` names the product database, ``source_id`` the source whose listings its products become. ``schedule``
    is a cron line in UTC, or ``every N`` in seconds; NULL if it runs on request only. ``next_at`` is when it is due
    next; NULL without a schedule or while it is paused.
    """

    __tablename__ = "collections"
    __table_args__ = (UniqueConstraint("source_id", "fingerprint"),)

    id: Mapped[PrimaryKey]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    database: Mapped[TextStr]
    query: Mapped[dict[str, Any]] = mapped_column(JSONB)
    fingerprint: Mapped[TextStr]
    schedule: Mapped[TextStr | None]
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    next_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]


SELECT_COLLECTION = "SELECT id, source_id, database, query, schedule, paused, next_at FROM collections"
LOCK_COLLECTION = text(
    f"{SELECT_COLLECTION} WHERE id = :id AND (:every OR source_id = ANY(:sources)) FOR NO KEY UPDATE"
)
LOCK_SAME_QUERY = text(
    f"{SELECT_COLLECTION} WHERE source_id = :source AND fingerprint = :fingerprint FOR NO KEY UPDATE"
)
LOCK_DUE = text(
    f"{SELECT_COLLECTION} WHERE next_at <= now() ORDER BY next_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED"
)
INSERT_COLLECTION = text(
    """
    INSERT INTO collections (source_id, database, query, fingerprint, schedule, next_at)
    VALUES (:source, :database, CAST(:query AS jsonb), :fingerprint, :schedule, :next)
    ON CONFLICT (source_id, fingerprint) DO NOTHING RETURNING id
    """
)
UPDATE_SCHEDULE = text("UPDATE collections SET schedule = :schedule, paused = :paused, next_at = :next WHERE id = :id")
DELETE_COLLECTION = text("DELETE FROM collections WHERE id = :id")
SELECT_NOW = text("SELECT now()")


class SqlCollections:
    """Implements ``pipeline.ports.administration_repositories.CollectionRepository``; times are by Postgres's clock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self, collection_id: int, source_ids: frozenset[int] | None) -> Collection:
        """A collection into one of these sources (None: all), locked; NotFound when there is none."""
        parameters = visible_to(source_ids) | {"id": collection_id}
        row = self._connection.execute(LOCK_COLLECTION, parameters).first()
        if row is None:
            raise NotFound(f"there is no collection {collection_id}")
        return _collection(row)

    def find_same(self, request: CollectionRequest) -> Collection | None:
        """The collection of the same query into the same source, locked, or None."""
        parameters = {"source": request.source_id, "fingerprint": request.fingerprint}
        row = self._connection.execute(LOCK_SAME_QUERY, parameters).first()
        return None if row is None else _collection(row)

    def add(self, request: CollectionRequest) -> int | None:
        """Add a collection, due by its schedule; None if one with the same query into the same source exists.

        Raises InvalidInput for an invalid schedule.
        """
        values = {
            "source": request.source_id,
            "database": request.database,
            "query": json.dumps({"database": request.database, **request.query.as_json()}),
            "fingerprint": request.fingerprint,
            "schedule": request.schedule,
            "next": self._next_time(request.schedule),
        }
        collection_id: int | None = self._connection.scalar(INSERT_COLLECTION, values)
        return collection_id

    def reschedule(self, collection_id: int, schedule: str | None, *, paused: bool) -> None:
        """Change the schedule and whether it is paused; it is due next by the schedule, or never while paused."""
        next_at = None if paused else self._next_time(schedule)
        values = {"id": collection_id, "schedule": schedule, "paused": paused, "next": next_at}
        self._connection.execute(UPDATE_SCHEDULE, values)

    def remove(self, collection_id: int) -> None:
        """Delete a collection; its imports and listings stay."""
        self._connection.execute(DELETE_COLLECTION, {"id": collection_id})

    def lock_due(self) -> Collection | None:
        """The collection that has been due the longest and is not locked by another unit; None when none is due."""
        row = self._connection.execute(LOCK_DUE).first()
        return None if row is None else _collection(row)

    def _next_time(self, schedule: str | None) -> datetime | None:
        return None if schedule is None else next_after(schedule, self._connection.execute(SELECT_NOW).scalar_one())


def _collection(row: Row[Any]) -> Collection:
    query = ProductQuery.of_json(row.query)
    return Collection(row.id, row.source_id, row.database, query, row.schedule, row.paused, row.next_at)


SELECT_COLLECTION_VIEWS = """
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
    """Collections into these sources (None: all), in order of creation."""
    rows = connection.execute(text(f"{SELECT_COLLECTION_VIEWS} ORDER BY c.id"), visible_to(source_ids))
    return [_view(row) for row in rows]


def find_collection(
    connection: Connection, collection_id: int, source_ids: frozenset[int] | None = None
) -> CollectionView:
    """One collection into these sources (None: all); NotFound when there is none."""
    parameters = visible_to(source_ids) | {"id": collection_id}
    row = connection.execute(text(f"{SELECT_COLLECTION_VIEWS} AND c.id = :id"), parameters).first()
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
