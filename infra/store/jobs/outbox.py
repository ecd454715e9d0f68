"""The outbox: intake adds jobs, the relay publishes them to the broker, the sweep returns those that got lost."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from infra.store.dead_letters import give_up
from infra.store.notify_channels import wake_relay
from infra.store.sql_fragments import SQL_OPEN_STATES, SQL_OUT_STATES
from pipeline.domain.job import (
    AttemptOutcome,
    Batch,
    FlowPolicy,
    JobKind,
    JobState,
    JobToSend,
    Priority,
    Queue,
    RetryPolicy,
    SweepCounts,
    batch_size,
    group_into_batches,
    queue_of,
)
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

SUPERSEDE_JOBS = text(
    f"""
    UPDATE jobs SET state = '{JobState.SUPERSEDED}', deadline = NULL, ended_at = now(), note = :reason
    WHERE listing_id = ANY(:listings) AND state IN {SQL_OPEN_STATES}
    """
)
INSERT_JOBS = text(
    """
    INSERT INTO jobs (kind, priority, queue, listing_id, revision_id)
    SELECT 'categorise', CAST(:priority AS priority), CAST(:queue AS queue), new.listing, new.revision
    FROM unnest(CAST(:listings AS bigint[]), CAST(:revisions AS bigint[])) AS new(listing, revision)
    """
)
SELECT_CAPACITY = text(
    f"""
    SELECT coalesce(sum(slots), 0) AS slots, avg(seconds_per_listing) AS seconds,
           (SELECT count(*) FROM jobs WHERE queue = CAST(:queue AS queue) AND state IN {SQL_OUT_STATES}) AS out
    FROM workers WHERE queue = CAST(:queue AS queue) AND seen_at > now() - make_interval(secs => :timeout)
    """
)
# The oldest jobs of each priority are read through the index; priority and age together then decide between them.
SEND_MOST_URGENT = text(
    f"""
    WITH offered AS (
        SELECT o.id, array_position(enum_range(NULL::priority), o.priority)
               - extract(epoch FROM now() - o.created_at) / :ageing AS urgency
        FROM unnest(enum_range(NULL::priority)) AS p(priority) CROSS JOIN LATERAL (
            SELECT id, priority, created_at FROM jobs
            WHERE state = '{JobState.WAITING}' AND queue = CAST(:queue AS queue) AND priority = p.priority
            AND not_before <= now() ORDER BY not_before, id LIMIT :max_jobs FOR UPDATE SKIP LOCKED
        ) o
    ), chosen AS (SELECT id, urgency FROM offered ORDER BY urgency, id LIMIT :max_jobs)
    UPDATE jobs SET state = '{JobState.SENT}', deadline = now() + make_interval(secs => :deadline)
    FROM chosen WHERE jobs.id = chosen.id
    RETURNING jobs.id, jobs.kind, jobs.priority, jobs.alone, chosen.urgency
    """
)
RETURN_UNCLAIMED = text(
    f"UPDATE jobs SET state = '{JobState.WAITING}', deadline = NULL "
    f"WHERE state = '{JobState.SENT}' AND deadline < now()"
)
REQUEUE_JOBS = text(
    f"UPDATE jobs SET state = '{JobState.WAITING}', deadline = NULL WHERE id = ANY(:ids) AND state = '{JobState.SENT}'"
)
RETURN_JOBS_OF_DEAD_WORKERS = text(
    f"""
    WITH died AS (
        UPDATE jobs SET state = '{JobState.WAITING}', deadline = NULL, worker = NULL, alone = true,
               deaths_alone = deaths_alone + CASE WHEN alone OR kind <> 'categorise' THEN 1 ELSE 0 END
        WHERE state = '{JobState.LEASED}' AND deadline < now() RETURNING id, attempt, deaths_alone
    ), ended AS (
        UPDATE attempts SET outcome = '{AttemptOutcome.DIED}', ended_at = now(),
               error = 'the worker died, or could not renew its lease'
        FROM died WHERE attempts.job_id = died.id AND attempts.attempt = died.attempt AND attempts.outcome IS NULL
    )
    SELECT id, deaths_alone FROM died
    """
)


class SqlOutbox:
    """Implements ``pipeline.ports.repositories.Outbox``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, listing_ids: Sequence[int], revision_ids: Sequence[int], priority: Priority) -> None:
        """Add one waiting job per revision, and wake the relay at commit."""
        self._connection.execute(
            INSERT_JOBS,
            {
                "priority": priority,
                "queue": queue_of(JobKind.CATEGORISE, priority),
                "listings": list(listing_ids),
                "revisions": list(revision_ids),
            },
        )
        wake_relay(self._connection)

    def supersede(self, listing_ids: Sequence[int], reason: str) -> int:
        """End every open job of these listings; claims of workers on them no longer hold."""
        return self._connection.execute(SUPERSEDE_JOBS, {"listings": list(listing_ids), "reason": reason}).rowcount

    def sweep(self, policy: RetryPolicy) -> SweepCounts:
        """Return jobs whose deadline has passed to ``waiting``.

        A job whose worker died with several jobs claimed is sent alone next time, and this death is not counted. A job
        whose worker died ``deaths_alone_limit`` times with only this job claimed is given up.
        """
        unclaimed = self._connection.execute(RETURN_UNCLAIMED).rowcount
        died = self._connection.execute(RETURN_JOBS_OF_DEAD_WORKERS).all()
        dead = [row.id for row in died if row.deaths_alone >= policy.deaths_alone_limit]
        if dead:
            reason = Reason.of(ReasonCode.WORKER_DIED, n=policy.deaths_alone_limit)
            give_up(self._connection, dead, reason)
        return SweepCounts(unclaimed=unclaimed, died=len(died), dead=len(dead))

    def take_batches(self, queue: Queue, policy: FlowPolicy) -> list[Batch]:
        """Mark the most urgent waiting jobs ``sent`` and group them into batches.

        About twice as many jobs as the living workers can hold may be out (sent or leased) at a time; the others wait.
        """
        capacity = self._connection.execute(SELECT_CAPACITY, {"queue": queue, "timeout": policy.worker_timeout}).one()
        size = batch_size(queue, capacity.seconds, policy)
        max_jobs = 2 * capacity.slots * size - capacity.out
        if max_jobs <= 0:
            return []
        rows = self._connection.execute(
            SEND_MOST_URGENT,
            {"queue": queue, "max_jobs": max_jobs, "ageing": policy.ageing, "deadline": policy.sent_deadline},
        ).all()
        jobs = [
            JobToSend(row.id, JobKind(row.kind), Priority(row.priority), row.alone)
            for row in sorted(rows, key=lambda row: (row.urgency, row.id))
        ]
        return group_into_batches(queue, jobs, size)

    def requeue(self, job_ids: Sequence[int]) -> None:
        """Return jobs to ``waiting`` that were marked ``sent`` but could not be published."""
        self._connection.execute(REQUEUE_JOBS, {"ids": list(job_ids)})

    def wake_relay(self) -> None:
        """Wake the relay when the unit of work commits."""
        wake_relay(self._connection)
