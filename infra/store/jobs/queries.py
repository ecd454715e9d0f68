"""How much waits and for how long, what is out, who works, and which jobs are open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from infra.store.sql import SQL_OPEN_STATES
from pipeline.domain.job import JobState, Queue

# Each is the head of the index of waiting jobs. A job that is to wait before its next try is not late yet.
OLDEST = text(
    f"""
    SELECT p.priority, coalesce(extract(epoch FROM now() - o.not_before), 0)::float8 AS age
    FROM unnest(enum_range(NULL::priority)) AS p(priority) LEFT JOIN LATERAL (
        SELECT min(head.not_before) AS not_before
        FROM unnest(ARRAY['interactive', 'categorise']::queue[]) AS q(queue) CROSS JOIN LATERAL (
            SELECT not_before FROM jobs WHERE state = '{JobState.WAITING}' AND queue = q.queue AND priority = p.priority
            AND not_before <= now() ORDER BY not_before LIMIT 1
        ) head
    ) o ON true
    """
)
OPEN_JOBS = text(
    f"""
    SELECT kind, priority, state, count(*) AS count FROM jobs
    WHERE state IN {SQL_OPEN_STATES} GROUP BY kind, priority, state ORDER BY kind, priority, state
    """
)
WORKERS = text(
    """
    SELECT name, role, queue, slots, seconds_per_listing, memory, started_at, seen_at,
           seen_at > now() - make_interval(secs => :timeout) AS alive
    FROM workers ORDER BY name
    """
)
AT_WORK = text(
    """
    SELECT count(*) FROM workers
    WHERE queue = CAST(:queue AS queue) AND seen_at > now() - make_interval(secs => :timeout)
    """
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Ages in seconds by priority; open jobs by kind, priority and state; letters nobody replayed; living workers."""

    oldest: dict[str, float]
    open_jobs: list[dict[str, Any]]
    dead_letters: int
    workers: list[dict[str, Any]]

    def count(self, *states: str) -> int:
        """How many open jobs are in these states."""
        return sum(row["count"] for row in self.open_jobs if row["state"] in states)


def oldest_waiting(connection: Connection) -> dict[str, float]:
    """For each priority, how long (seconds) its oldest categorisation has been due; 0 when none is."""
    return {row.priority: row.age for row in connection.execute(OLDEST)}


def read_backlog(connection: Connection, worker_timeout: float) -> Backlog:
    """Everything at one moment; a worker unseen for ``worker_timeout`` seconds is left out."""
    letters = connection.scalar(text("SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL"))
    workers = connection.execute(WORKERS, {"timeout": worker_timeout}).mappings()
    return Backlog(
        oldest_waiting(connection),
        [dict(row) for row in connection.execute(OPEN_JOBS).mappings()],
        int(letters or 0),
        [dict(row) for row in workers if row["alive"]],
    )


def living_workers(connection: Connection, queue: Queue, worker_timeout: float) -> int:
    """How many workers of a queue were seen in the last ``worker_timeout`` seconds."""
    return int(connection.scalar(AT_WORK, {"queue": queue, "timeout": worker_timeout}) or 0)


OF_TAXONOMY = text(
    f"""
    SELECT j.id FROM jobs j JOIN listings l ON l.id = j.listing_id JOIN sources s ON s.id = l.source_id
    WHERE s.taxonomy_id = :taxonomy AND j.state IN {SQL_OPEN_STATES}
    """
)
STILL_OPEN = text(f"SELECT count(*) FROM jobs WHERE id = ANY(:ids) AND state IN {SQL_OPEN_STATES}")
OPEN_RUNS = text(
    f"""
    SELECT id, kind::text, state::text, coalesce(progress, 0)::float8 AS progress, coalesce(note, '') AS note
    FROM jobs WHERE kind <> 'categorise' AND state IN {SQL_OPEN_STATES} ORDER BY id
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
