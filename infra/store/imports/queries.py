"""Imports and the verdicts of their rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from infra.store.imports.opening import IMPORT_LOCK
from infra.store.sql import SQL_OPEN_STATES
from pipeline.domain.import_run import ImportStatus
from pipeline.domain.job import JobState

# How far a run is by its source or by its rows, where that can be told.
IMPORTS = """
    SELECT i.id, s.name AS source, i.origin, i.status, i.query ->> 'database' AS database,
           i.query - 'database' AS query, i.collection_id AS collection, i.complete, i.total,
           coalesce(CAST(i.cursor ->> 'row' AS integer), 0) AS row,
           CASE WHEN i.status = 'done' THEN 1.0 WHEN i.cursor ->> 'share' IS NOT NULL
                THEN CAST(i.cursor ->> 'share' AS float) WHEN i.total > 0
                THEN least(1.0, coalesce(CAST(i.cursor ->> 'row' AS float), 0.0) / i.total) END AS share,
           i.new, i.changed, i.unchanged, i.rejected, i.without_photo, i.vanished, i.came_back, i.note, i.started_at,
           i.ended_at
    FROM imports i JOIN sources s ON s.id = i.source_id WHERE (:every OR i.source_id = ANY(:sources))
"""
ROWS = text(
    """
    SELECT number, external_id, listing_id, verdict, reason, note FROM import_rows
    WHERE import_id = :id AND number > :after
      AND (CAST(:verdict AS text) IS NULL OR verdict = CAST(:verdict AS verdict))
    ORDER BY number LIMIT :limit
    """
)
# The open jobs of this kind are found by an index that has open jobs only.
JOBS = text(
    f"""
    SELECT CAST(payload ->> 'import_id' AS bigint) AS import_id, state, note, not_before > now() AS later, not_before
    FROM jobs WHERE kind = 'collect' AND listing_id IS NULL AND state IN {SQL_OPEN_STATES}
    AND payload ? 'import_id'
    """
)
HELD = text(
    """
    SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = :class AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)
# Seconds from the moment it was said; when that is over is told instead.
AGAIN = re.compile(r"; to be asked again in \d+ s$")
WAITS = "waiting for its turn"
INTERRUPTED = "nobody is at it; the same command goes on with it"


def list_imports(
    connection: Connection, source_ids: frozenset[int] | None, before_id: int | None, limit: int
) -> list[dict[str, Any]]:
    """Imports into these sources (None: all), newest first, of ids below ``before_id``.

    ``share`` (0 to 1) is how far one is, None where that cannot be told; ``doing`` says what one that is not over
    does or waits for, None for all others.
    """
    statement = text(
        f"{IMPORTS} AND (CAST(:before AS bigint) IS NULL OR i.id < :before) ORDER BY i.id DESC LIMIT :limit"
    )
    rows = connection.execute(statement, _seen(source_ids) | {"before": before_id, "limit": limit})
    return _with_doing(connection, [dict(row) for row in rows.mappings()])


def find_import(connection: Connection, import_id: int, source_ids: frozenset[int] | None) -> dict[str, Any] | None:
    """One import, as ``list_imports`` gives it, or None."""
    row = (
        connection.execute(text(f"{IMPORTS} AND i.id = :id"), _seen(source_ids) | {"id": import_id}).mappings().first()
    )
    return None if row is None else _with_doing(connection, [dict(row)])[0]


def import_rows(
    connection: Connection, import_id: int, verdict: str | None, after_number: int, limit: int
) -> list[dict[str, Any]]:
    """Rows of an import beyond ``after_number``, in their order."""
    parameters = {"id": import_id, "verdict": verdict, "after": after_number, "limit": limit}
    return [dict(row) for row in connection.execute(ROWS, parameters).mappings()]


def _with_doing(connection: Connection, imports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    over = all(one["status"] == ImportStatus.DONE for one in imports)
    jobs = {} if over else {job["import_id"]: dict(job) for job in connection.execute(JOBS).mappings()}
    at_work = set() if over else set(connection.scalars(HELD, {"class": IMPORT_LOCK}))
    for one in imports:
        job, held = jobs.get(one["id"]), one["id"] in at_work
        # One that failed may have a job that goes on with it.
        if job is not None:
            one["doing"] = _doing(job)
        elif one["status"] == ImportStatus.RUNNING and not held:
            one |= {"doing": None, "note": INTERRUPTED}
        else:
            one["doing"] = "at work" if held and one["status"] == ImportStatus.RUNNING else None
    return imports


def _doing(job: Mapping[str, Any]) -> str:
    if job["state"] == JobState.LEASED:
        return job["note"] or "at work"
    if job["later"] and job["note"]:
        return f"{AGAIN.sub('', job['note'])} (until {job['not_before']:%H:%M:%S} UTC)"
    return WAITS


def _seen(source_ids: frozenset[int] | None) -> dict[str, Any]:
    return {"every": source_ids is None, "sources": sorted(source_ids or ())}
