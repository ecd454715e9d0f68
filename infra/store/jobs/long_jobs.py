"""Long jobs on Postgres: trainings, studies, imports from product databases, rule proposals, purges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from infra.store.notify_channels import wake_relay
from infra.store.sql_fragments import SQL_OPEN_STATES
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.job import JobKind, JobState, Priority, queue_of

INSERT_LONG_JOB = text(
    """
    INSERT INTO jobs (kind, priority, queue, payload, unique_key)
    VALUES (CAST(:kind AS job_kind), CAST(:priority AS priority), CAST(:queue AS queue), CAST(:payload AS jsonb), :key)
    ON CONFLICT (unique_key) DO NOTHING RETURNING id
    """
)
LOCK_TAXONOMY = text("SELECT 1 FROM taxonomies WHERE id = :id FOR UPDATE")
SELECT_OPEN_TRAINING = text(
    f"""
    SELECT id FROM jobs WHERE kind = 'train' AND state IN {SQL_OPEN_STATES}
    AND payload ? 'taxonomy_id' AND (payload->>'taxonomy_id')::bigint = :id
    """
)
CANCEL_TRAINING = text(
    f"""
    UPDATE jobs SET state = '{JobState.SUPERSEDED}', deadline = NULL, ended_at = now(), note = :note
    WHERE id = :id AND kind = 'train' AND state IN {SQL_OPEN_STATES}
    """
)
MARK_SENT = text(
    f"""
    UPDATE jobs SET state = '{JobState.SENT}', deadline = now() + make_interval(secs => :deadline)
    WHERE id = :id AND state = '{JobState.WAITING}'
    """
)
RESET_FAILURES = text(
    f"""
    UPDATE jobs SET failures = 0, deaths_alone = 0
    WHERE id = :job AND attempt = :attempt AND state = '{JobState.LEASED}' AND (failures > 0 OR deaths_alone > 0)
    """
)


class SqlLongJobs:
    """Implements ``pipeline.ports.administration_repositories.LongJobs``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        kind: JobKind,
        payload: Mapping[str, Any],
        *,
        unique_key: str | None = None,
        priority: Priority = Priority.PIPELINE,
    ) -> int | None:
        """Add a waiting job and wake the relay; None when the unique key is taken."""
        job_id: int | None = self._connection.scalar(
            INSERT_LONG_JOB,
            {
                "kind": kind,
                "priority": priority,
                "queue": queue_of(kind, priority),
                "payload": json.dumps(dict(payload)),
                "key": unique_key,
            },
        )
        wake_relay(self._connection)
        return job_id

    def find_open_training(self, taxonomy_id: int) -> int | None:
        """The open training of a taxonomy, or None; locks the taxonomy, so that no other unit adds one meanwhile."""
        self._connection.execute(LOCK_TAXONOMY, {"id": taxonomy_id})
        job_id: int | None = self._connection.scalar(SELECT_OPEN_TRAINING, {"id": taxonomy_id})
        return job_id

    def cancel_training(self, job_id: int, note: str) -> bool:
        """End an open training; the claim of a worker on it no longer holds. False if it is no open training."""
        return self._connection.execute(CANCEL_TRAINING, {"id": job_id, "note": note}).rowcount == 1

    def mark_sent(self, job_id: int, deadline: float) -> bool:
        """Mark a waiting job ``sent``, to be claimed within ``deadline`` seconds; False when it is not waiting."""
        return self._connection.execute(MARK_SENT, {"id": job_id, "deadline": deadline}).rowcount == 1

    def reset_failures(self, job: ClaimedLongJob) -> None:
        """Reset the failure counts of a job that has made progress, unless another worker has taken it over."""
        self._connection.execute(RESET_FAILURES, {"job": job.job_id, "attempt": job.attempt})
