"""Long jobs: asking for a training or another run, and reading how far it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from infra.store.notifications import wake_relay
from infra.store.sql import SQL_OPEN_STATES
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.errors import NotFound
from pipeline.domain.job import JobKind, JobState, Priority, queue_of


@dataclass(frozen=True, slots=True)
class Run:
    """How far a long job is: ``progress`` from 0 to 1, ``note`` in plain words."""

    job_id: int
    state: JobState
    progress: float
    note: str


def request_training(connection: Connection, taxonomy_id: int, payload: Mapping[str, Any]) -> tuple[int, bool]:
    """Ask for a training of a taxonomy; returns the job, and False when it is one that was open already."""
    connection.execute(text("SELECT 1 FROM taxonomies WHERE id = :id FOR UPDATE"), {"id": taxonomy_id})
    open_job = connection.scalar(
        text(
            f"SELECT id FROM jobs WHERE kind = 'train' AND state IN {SQL_OPEN_STATES} "
            "AND payload ? 'taxonomy_id' AND (payload->>'taxonomy_id')::bigint = :id"
        ),
        {"id": taxonomy_id},
    )
    if open_job is not None:
        return int(open_job), False
    return _add(connection, JobKind.TRAIN, {**payload, "taxonomy_id": taxonomy_id}, None), True


def request_collect(connection: Connection, import_id: int) -> int:
    """Ask for the work of an import from a product database; returns the job."""
    return _add(connection, JobKind.COLLECT, {"import_id": import_id}, None, Priority.IMPORT)


def forgive(connection: Connection, run: ClaimedLongJob) -> None:
    """Forget the failures of a run that has got further: what follows is told apart from what is overcome."""
    statement = text(
        "UPDATE jobs SET failures = 0, deaths_alone = 0 "
        f"WHERE id = :job AND attempt = :attempt AND state = '{JobState.LEASED}' AND (failures > 0 OR deaths_alone > 0)"
    )
    connection.execute(statement, {"job": run.job_id, "attempt": run.attempt})


def add_periodic(
    connection: Connection, kind: JobKind, unique_key: str, payload: Mapping[str, Any] | None = None
) -> bool:
    """Insert a periodic job unless its key (job and period) is there: several beats, one run."""
    return _add(connection, kind, payload or {}, unique_key) != 0


def hand_out(connection: Connection, job_id: int, deadline: float) -> bool:
    """Mark a waiting run ``sent``, for a process that claims it itself; False when somebody else has it."""
    statement = text(
        f"UPDATE jobs SET state = '{JobState.SENT}', deadline = now() + make_interval(secs => :deadline) "
        f"WHERE id = :id AND state = '{JobState.WAITING}'"
    )
    return connection.execute(statement, {"id": job_id, "deadline": deadline}).rowcount == 1


def read_run(connection: Connection, job_id: int) -> Run:
    """How far a run is; NotFound when there is none."""
    row = connection.execute(
        text(
            "SELECT id, state, coalesce(progress, 0) AS progress, coalesce(note, '') AS note FROM jobs WHERE id = :id"
        ),
        {"id": job_id},
    ).first()
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return Run(row.id, JobState(row.state), row.progress, row.note)


def _add(
    connection: Connection,
    kind: JobKind,
    payload: Mapping[str, Any],
    unique_key: str | None,
    priority: Priority = Priority.PIPELINE,
) -> int:
    job_id = connection.scalar(
        text(
            "INSERT INTO jobs (kind, priority, queue, payload, unique_key) VALUES "
            "(CAST(:kind AS job_kind), CAST(:priority AS priority), CAST(:queue AS queue), CAST(:payload AS jsonb), "
            ":key) ON CONFLICT (unique_key) DO NOTHING RETURNING id"
        ),
        {
            "kind": kind,
            "priority": priority,
            "queue": queue_of(kind, priority),
            "payload": json.dumps(dict(payload)),
            "key": unique_key,
        },
    )
    wake_relay(connection)
    return int(job_id or 0)
