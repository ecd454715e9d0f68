"""What the command line looks at: living workers, open jobs of a taxonomy, model versions, dead letters."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from pipeline.domain.errors import NotFound
from pipeline.domain.job import Queue

MODELS = """
    SELECT m.id, m.number, t.name AS taxonomy, m.taxonomy_id, CAST(m.status AS text) AS status, m.created_at,
           m.promoted_at, m.manifest
    FROM model_versions m JOIN taxonomies t ON t.id = m.taxonomy_id
"""
LETTERS = """
    SELECT d.id, d.job_id, CAST(j.kind AS text) AS kind, s.name AS source, l.external_id, j.attempt AS attempts,
           d.reason, d.created_at, d.replayed_at, d.traceback, d.history
    FROM dead_letters d JOIN jobs j ON j.id = d.job_id
    LEFT JOIN listings l ON l.id = j.listing_id LEFT JOIN sources s ON s.id = l.source_id
"""


def living_workers(connection: Connection, queue: Queue, timeout: float) -> int:
    """How many workers of a queue were seen in the last ``timeout`` seconds."""
    return int(
        connection.execute(
            text(
                "SELECT count(*) FROM workers WHERE queue = CAST(:queue AS queue) "
                "AND seen_at > now() - make_interval(secs => :timeout)"
            ),
            {"queue": queue, "timeout": timeout},
        ).scalar_one()
    )


def open_jobs(connection: Connection, taxonomy_id: int) -> list[int]:
    """Ids of the open jobs that decide listings of a taxonomy."""
    return list(
        connection.execute(
            text(
                "SELECT j.id FROM jobs j JOIN listings l ON l.id = j.listing_id JOIN sources s ON s.id = l.source_id "
                "WHERE s.taxonomy_id = :taxonomy AND j.state IN ('waiting', 'sent', 'leased')"
            ),
            {"taxonomy": taxonomy_id},
        ).scalars()
    )


def still_open(connection: Connection, job_ids: list[int]) -> int:
    """How many of these jobs have not ended."""
    statement = "SELECT count(*) FROM jobs WHERE id = ANY(:ids) AND state IN ('waiting', 'sent', 'leased')"
    return int(connection.execute(text(statement), {"ids": job_ids}).scalar_one())


def hand_out(connection: Connection, job_id: int, deadline: float) -> bool:
    """Mark a waiting run ``sent``, for a process that claims it itself; False when somebody else has it."""
    statement = (
        "UPDATE jobs SET state = 'sent', deadline = now() + make_interval(secs => :deadline) "
        "WHERE id = :id AND state = 'waiting'"
    )
    return connection.execute(text(statement), {"id": job_id, "deadline": deadline}).rowcount == 1


def model_versions(connection: Connection, taxonomy_id: int | None = None) -> list[dict[str, Any]]:
    """Model versions, newest first, of one taxonomy or of all."""
    statement = f"{MODELS} WHERE (CAST(:taxonomy AS bigint) IS NULL OR t.id = :taxonomy) ORDER BY m.id DESC"
    return [dict(row) for row in connection.execute(text(statement), {"taxonomy": taxonomy_id}).mappings()]


def model_version(connection: Connection, model_id: int) -> dict[str, Any]:
    """One model version; NotFound when there is none."""
    row = connection.execute(text(f"{MODELS} WHERE m.id = :id"), {"id": model_id}).mappings().first()
    if row is None:
        raise NotFound(f"there is no model version {model_id}; see: rayon models list")
    return dict(row)


def dead_letters(connection: Connection, *, replayed: bool, limit: int) -> list[dict[str, Any]]:
    """Dead letters, newest first; those replayed already only when asked for."""
    statement = f"{LETTERS} WHERE :replayed OR d.replayed_at IS NULL ORDER BY d.created_at DESC, d.id DESC LIMIT :limit"
    rows = connection.execute(text(statement), {"replayed": replayed, "limit": limit})
    return [dict(row) for row in rows.mappings()]


def dead_letter(connection: Connection, letter_id: int) -> dict[str, Any]:
    """One dead letter with traceback and history; NotFound when there is none."""
    row = connection.execute(text(f"{LETTERS} WHERE d.id = :id"), {"id": letter_id}).mappings().first()
    if row is None:
        raise NotFound(f"there is no dead letter {letter_id}; see: rayon dead-letters list")
    return dict(row)
