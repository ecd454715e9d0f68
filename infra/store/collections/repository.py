"""Standing collections: queries to product databases that are asked again and again; each time is an import."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from infra.schedules import next_after, schedule_line
from infra.store.imports.opening import begin_import, begin_or_go_on, hold_source, in_hand, wanted_of
from infra.store.jobs.long_jobs import request_collect
from infra.store.taxonomies.repository import ensure_source, find_source
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.product_source import ProductQuery
from pipeline.domain.source import NAME_LIMIT, Source

WITH_MODEL = text("SELECT name FROM taxonomies WHERE active_model_id IS NOT NULL ORDER BY name LIMIT 2")
SHOWN = """
    SELECT c.id, s.name AS source, c.database, c.query, c.schedule, c.paused, c.next_at, c.created_at,
           i.id AS last_import_id, i.status::text AS last_status, i.ended_at AS last_ended_at
    FROM collections c JOIN sources s ON s.id = c.source_id
    LEFT JOIN LATERAL (SELECT id, status, ended_at FROM imports WHERE collection_id = c.id ORDER BY id DESC LIMIT 1) i
         ON true
    WHERE (:every OR c.source_id = ANY(:sources))
"""
# The next time stays as it is while the schedule does: whoever says the same again does not push it away.
KEEP = text(
    """
    INSERT INTO collections AS c (source_id, database, query, fingerprint, schedule, next_at)
    VALUES (:source, :database, CAST(:query AS jsonb), :fingerprint, :schedule, :next)
    ON CONFLICT (source_id, fingerprint) DO UPDATE SET schedule = excluded.schedule,
        next_at = CASE WHEN c.paused THEN NULL WHEN c.schedule IS NOT DISTINCT FROM excluded.schedule THEN c.next_at
                       ELSE excluded.next_at END
    RETURNING id
    """
)
ONE = text(
    "SELECT id, source_id, database, query, fingerprint, schedule, paused, next_at, now() AS now FROM collections "
    "WHERE id = :id AND (:every OR source_id = ANY(:sources)) FOR NO KEY UPDATE"
)
CHANGE = text("UPDATE collections SET schedule = :schedule, paused = :paused, next_at = :next WHERE id = :id")
REMOVE = text("DELETE FROM collections WHERE id = :id")


def source_of_products(connection: Connection, database: str, name: str = "", taxonomy: str = "") -> Source:
    """The house's source that products of a database become listings of, made with its taxonomy when it is new.

    ``name`` is the source's, by default the database's. Without a taxonomy asked for, it is the only one whose
    listings a model decides, if there is just one: the range of the shop is to grow by these products. Else the source
    begins a taxonomy of its own. Raises InvalidInput when the source exists with another taxonomy.
    """
    name = " ".join((name or database).split())
    taxonomy = " ".join(taxonomy.split())
    if len(taxonomy) > NAME_LIMIT:
        raise InvalidInput(f"the name of a taxonomy has at most {NAME_LIMIT} characters")
    if taxonomy or find_source(connection, name) is not None:
        return ensure_source(connection, name, taxonomy or None)
    deciding = list(connection.scalars(WITH_MODEL))
    return ensure_source(connection, name, deciding[0] if len(deciding) == 1 else None)


def list_collections(connection: Connection, source_ids: frozenset[int] | None) -> list[dict[str, Any]]:
    """Collections into these sources (None: all), in the order they were made, each with its latest import."""
    rows = connection.execute(text(f"{SHOWN} ORDER BY c.id"), _seen(source_ids))
    return [dict(row) for row in rows.mappings()]


def find_collection(
    connection: Connection, collection_id: int, source_ids: frozenset[int] | None = None
) -> dict[str, Any]:
    """One collection as ``list_collections`` shows it; NotFound when there is none in these sources."""
    wanted = _seen(source_ids) | {"id": collection_id}
    row = connection.execute(text(f"{SHOWN} AND c.id = :id"), wanted).mappings().first()
    if row is None:
        raise NotFound(f"there is no collection {collection_id}")
    return dict(row)


def add_collection(
    connection: Connection, source_id: int, database: str, query: ProductQuery, schedule: str | int | None
) -> int:
    """Keep a query to a database that is to be asked again and again; returns the collection's id.

    The same query for the same source is the same collection, whose schedule is changed; a paused one stays paused.
    ``schedule`` is a cron line, ``every N`` or a number of seconds; None for one that runs on request only. Raises
    InvalidInput when it is no schedule.
    """
    line = None if schedule is None else schedule_line(schedule)
    kept = {
        "source": source_id,
        "database": database,
        "query": json.dumps({"database": database, **query.as_json()}),
        "fingerprint": query.fingerprint(database),
        "schedule": line,
        "next": next_time(line, connection.execute(text("SELECT now()")).scalar_one()),
    }
    return int(connection.execute(KEEP, kept).scalar_one())


def reschedule_collection(
    connection: Connection, collection_id: int, schedule: str | int | None, source_ids: frozenset[int] | None = None
) -> None:
    """Change when a collection is due; InvalidInput when that is no schedule, NotFound when there is none."""
    line = None if schedule is None else schedule_line(schedule)
    kept = _held(connection, collection_id, source_ids)
    if line != kept.schedule:
        _write(connection, kept, line, kept.paused)


def pause_collection(connection: Connection, collection_id: int, source_ids: frozenset[int] | None = None) -> None:
    """Let a collection not be due any more until it is resumed; NotFound when there is none."""
    kept = _held(connection, collection_id, source_ids)
    _write(connection, kept, kept.schedule, True)


def resume_collection(connection: Connection, collection_id: int, source_ids: frozenset[int] | None = None) -> None:
    """Let a paused collection be due again, next by its schedule; NotFound when there is none."""
    kept = _held(connection, collection_id, source_ids)
    if kept.paused:
        _write(connection, kept, kept.schedule, False)


def remove_collection(connection: Connection, collection_id: int, source_ids: frozenset[int] | None = None) -> None:
    """Forget a collection; its imports and listings stay. NotFound when there is none."""
    connection.execute(REMOVE, {"id": _held(connection, collection_id, source_ids).id})


def request_import(
    connection: Connection, source_id: int, database: str, query: ProductQuery, *, afresh: bool = False
) -> tuple[int, bool]:
    """Ask for a run of this query by a worker; returns the import, and whether it was begun just now.

    One of the same that runs, or that a job will go on with, is returned instead. One that stopped within the last
    two days goes on where it stopped, unless ``afresh``.
    """
    import_id, begun = begin_or_go_on(connection, wanted_of(source_id, database, query), afresh)
    if begun:
        request_collect(connection, import_id)
    return import_id, begun


def run_collection(
    connection: Connection, collection_id: int, source_ids: frozenset[int] | None = None
) -> tuple[int, bool]:
    """Ask for a run of a collection now, as ``request_import`` does; its schedule stays as it is."""
    kept = _held(connection, collection_id, source_ids)
    return request_import(connection, kept.source_id, kept.database, ProductQuery.of_json(kept.query))


def _held(connection: Connection, collection_id: int, source_ids: frozenset[int] | None) -> Row[Any]:
    row = connection.execute(ONE, _seen(source_ids) | {"id": collection_id}).first()
    if row is None:
        raise NotFound(f"there is no collection {collection_id}")
    return row


def _write(connection: Connection, kept: Row[Any], schedule: str | None, paused: bool) -> None:
    due = None if paused else next_time(schedule, kept.now)
    connection.execute(CHANGE, {"id": kept.id, "schedule": schedule, "paused": paused, "next": due})


def next_time(schedule: str | None, now: datetime) -> datetime | None:
    """When a kept schedule is due next, None for none."""
    return None if schedule is None else next_after(schedule, now)


def _seen(source_ids: frozenset[int] | None) -> dict[str, Any]:
    return {"every": source_ids is None, "sources": sorted(source_ids or ())}


log = logging.getLogger(__name__)

DUE = text(
    """
    SELECT id, source_id, database, query, fingerprint, schedule, next_at, now() AS now FROM collections
    WHERE next_at <= now() ORDER BY next_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    """
)
MOVE = text("UPDATE collections SET next_at = :next WHERE id = :id")


def begin_due(engine: Engine) -> list[int]:
    """Begin the runs of all collections that are due, one transaction each; returns the new imports.

    However many processes look at the same time, a period has one run: whoever holds the collection's row moves its
    next time with it. Periods that passed unseen are not made up for, and one whose forerunner still runs is skipped.
    """
    begun: list[int] = []
    while True:
        with engine.begin() as connection:
            due = connection.execute(DUE).first()
            if due is None:
                return begun
            import_id = _begin(connection, due)
            if import_id is not None:
                begun.append(import_id)
            connection.execute(MOVE, {"id": due.id, "next": next_time(due.schedule, due.now)})


def _begin(connection: Connection, due: Row[Any]) -> int | None:
    hold_source(connection, due.source_id)
    query = ProductQuery.of_json(due.query)
    wanted = wanted_of(due.source_id, due.database, query, f"collection:{due.id}:{due.next_at.isoformat()}")
    running = in_hand(connection, wanted)
    if running is not None:
        log.warning("collection %d is due, but its import %d still runs: it is skipped this time", due.id, running)
        return None
    import_id = begin_import(connection, wanted)
    if import_id is not None:
        request_collect(connection, import_id)
        log.info("collection %d is due: import %d", due.id, import_id)
    return import_id
