"""Open jobs by what they are about: listings of a taxonomy, long runs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

OF_TAXONOMY = text(
    """
    SELECT j.id FROM jobs j JOIN listings l ON l.id = j.listing_id JOIN sources s ON s.id = l.source_id
    WHERE s.taxonomy_id = :taxonomy AND j.state IN ('waiting', 'sent', 'leased')
    """
)
STILL_OPEN = text("SELECT count(*) FROM jobs WHERE id = ANY(:ids) AND state IN ('waiting', 'sent', 'leased')")
OPEN_RUNS = text(
    """
    SELECT id, kind::text, state::text, coalesce(progress, 0)::float8 AS progress, coalesce(note, '') AS note
    FROM jobs WHERE kind <> 'categorise' AND state IN ('waiting', 'sent', 'leased') ORDER BY id
    """
)


def open_jobs(connection: Connection, taxonomy_id: int) -> list[int]:
    """Ids of the open jobs that decide listings of a taxonomy."""
    return list(connection.scalars(OF_TAXONOMY, {"taxonomy": taxonomy_id}))


def still_open(connection: Connection, job_ids: list[int]) -> int:
    """How many of these jobs have not ended."""
    return int(connection.scalar(STILL_OPEN, {"ids": job_ids}) or 0)


def open_runs(connection: Connection) -> list[dict[str, Any]]:
    """Long jobs that are not over: kind, state, progress (0 to 1) and note."""
    return [dict(row) for row in connection.execute(OPEN_RUNS).mappings()]
