"""Read the backlog: open jobs and their ages, living workers, open long jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from infra.store.sql_fragments import SQL_OPEN_STATES
from pipeline.domain.errors import NotFound
from pipeline.domain.job import JobKind, JobState, Priority, Queue

# Each is the first entry in the index of waiting jobs. A job that waits for its next attempt is not due yet.
SELECT_OLDEST = text(
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
COUNT_OPEN_JOBS = text(
    f"""
    SELECT kind, priority, state, count(*) AS number FROM jobs
    WHERE state IN {SQL_OPEN_STATES} GROUP BY kind, priority, state ORDER BY kind, priority, state
    """
)
COUNT_OPEN_DEAD_LETTERS = text("SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL")
SELECT_WORKERS = text(
    """
    SELECT name, role, queue, slots, seconds_per_listing, memory, started_at, seen_at,
           seen_at > now() - make_interval(secs => :timeout) AS alive
    FROM workers ORDER BY name
    """
)
COUNT_LIVING_WORKERS = text(
    """
    SELECT count(*) FROM workers
    WHERE queue = CAST(:queue AS queue) AND seen_at > now() - make_interval(secs => :timeout)
    """
)
SELECT_OPEN_JOBS_OF_TAXONOMY = text(
    f"""
    SELECT j.id FROM jobs j JOIN listings l ON l.id = j.listing_id JOIN sources s ON s.id = l.source_id
    WHERE s.taxonomy_id = :taxonomy AND j.state IN {SQL_OPEN_STATES}
    """
)
COUNT_OPEN_OF_JOBS = text(f"SELECT count(*) FROM jobs WHERE id = ANY(:ids) AND state IN {SQL_OPEN_STATES}")
SELECT_OPEN_LONG_JOBS = text(
    f"""
    SELECT id, kind, state, coalesce(progress, 0)::float8 AS progress, coalesce(note, '') AS note
    FROM jobs WHERE kind <> '{JobKind.CATEGORISE}' AND state IN {SQL_OPEN_STATES} ORDER BY id
    """
)


@dataclass(frozen=True, slots=True)
class OpenJobCount:
    """The number of open jobs of one kind, priority and state."""

    kind: JobKind
    priority: Priority
    state: JobState
    count: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker as it last announced itself; ``memory`` in bytes, of all its processes."""

    name: str
    role: str
    queue: Queue
    slots: int
    seconds_per_listing: float | None
    memory: int | None
    started_at: datetime
    seen_at: datetime
    alive: bool


@dataclass(frozen=True, slots=True)
class OpenLongJob:
    """A long job that has not ended; ``progress`` from 0 to 1, ``note`` for users."""

    id: int
    kind: JobKind
    state: JobState
    progress: float
    note: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """Open jobs, the age (seconds) of the oldest due one by priority, open dead letters, living workers."""

    oldest: dict[str, float]
    open_jobs: list[OpenJobCount]
    dead_letters: int
    workers: list[WorkerStatus]

    def count(self, *states: JobState) -> int:
        """How many open jobs are in these states."""
        return sum(group.count for group in self.open_jobs if group.state in states)


def oldest_waiting(connection: Connection) -> dict[str, float]:
    """For each priority, how long (seconds) its oldest categorisation has been due; 0 when none is."""
    return {row.priority: row.age for row in connection.execute(SELECT_OLDEST)}


def read_backlog(connection: Connection, worker_timeout: float) -> Backlog:
    """Read the current backlog, without workers that were not seen for ``worker_timeout`` seconds."""
    workers = [
        WorkerStatus(
            row.name, row.role, Queue(row.queue), row.slots, row.seconds_per_listing, row.memory, row.started_at,
            row.seen_at, row.alive,
        )
        for row in connection.execute(SELECT_WORKERS, {"timeout": worker_timeout})
    ]  # fmt: skip
    return Backlog(
        oldest=oldest_waiting(connection),
        open_jobs=[
            OpenJobCount(JobKind(row.kind), Priority(row.priority), JobState(row.state), row.number)
            for row in connection.execute(COUNT_OPEN_JOBS)
        ],
        dead_letters=connection.scalar(COUNT_OPEN_DEAD_LETTERS) or 0,
        workers=[worker for worker in workers if worker.alive],
    )


def count_living_workers(connection: Connection, queue: Queue, worker_timeout: float) -> int:
    """How many workers of a queue were seen in the last ``worker_timeout`` seconds."""
    return int(connection.scalar(COUNT_LIVING_WORKERS, {"queue": queue, "timeout": worker_timeout}) or 0)


def open_jobs_of_taxonomy(connection: Connection, taxonomy_id: int) -> list[int]:
    """Ids of the open jobs that decide listings of a taxonomy."""
    return list(connection.scalars(SELECT_OPEN_JOBS_OF_TAXONOMY, {"taxonomy": taxonomy_id}))


def count_open_jobs(connection: Connection, job_ids: list[int]) -> int:
    """How many of these jobs are still open."""
    return int(connection.scalar(COUNT_OPEN_OF_JOBS, {"ids": job_ids}) or 0)


def open_long_jobs(connection: Connection) -> list[OpenLongJob]:
    """The long jobs that have not ended."""
    return [
        OpenLongJob(row.id, JobKind(row.kind), JobState(row.state), row.progress, row.note)
        for row in connection.execute(SELECT_OPEN_LONG_JOBS)
    ]


SELECT_LONG_JOB = text(
    "SELECT id, state, coalesce(progress, 0) AS progress, coalesce(note, '') AS note FROM jobs WHERE id = :id"
)


@dataclass(frozen=True, slots=True)
class LongJobStatus:
    """The state of a long job; ``progress`` runs from 0 to 1, ``note`` is for users."""

    job_id: int
    state: JobState
    progress: float
    note: str


def read_long_job(connection: Connection, job_id: int) -> LongJobStatus:
    """The state and progress of a long job; NotFound when there is none."""
    row = connection.execute(SELECT_LONG_JOB, {"id": job_id}).first()
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return LongJobStatus(row.id, JobState(row.state), row.progress, row.note)
