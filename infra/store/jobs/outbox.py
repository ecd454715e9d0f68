"""The outbox: intake adds jobs, the relay takes them to the broker, the sweep brings back what got lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, text

from infra.store.dead_letters import repository
from infra.store.notifications import wake_relay
from infra.store.sql import SQL_OPEN_STATES, SQL_OUT_STATES
from pipeline.domain.claimed_job import Batch, SweepCounts
from pipeline.domain.job import AttemptOutcome, FlowPolicy, JobKind, JobState, Priority, Queue, RetryPolicy, queue_of

UNKNOWN_SPEED_BATCH = 8

SUPERSEDE = text(
    f"""
    UPDATE jobs SET state = '{JobState.SUPERSEDED}', deadline = NULL, ended_at = now(), note = :reason
    WHERE listing_id = ANY(:listings) AND state IN {SQL_OPEN_STATES}
    """
)
ADD = text(
    """
    INSERT INTO jobs (kind, priority, queue, listing_id, revision_id)
    SELECT 'categorise', CAST(:priority AS priority), CAST(:queue AS queue), new.listing, new.revision
    FROM unnest(CAST(:listings AS bigint[]), CAST(:revisions AS bigint[])) AS new(listing, revision)
    """
)
ROOM = text(
    f"""
    SELECT coalesce(sum(slots), 0) AS slots, avg(seconds_per_listing) AS seconds,
           (SELECT count(*) FROM jobs WHERE queue = CAST(:queue AS queue) AND state IN {SQL_OUT_STATES}) AS out
    FROM workers WHERE queue = CAST(:queue AS queue) AND seen_at > now() - make_interval(secs => :timeout)
    """
)
# Each priority offers its oldest through the index; age then decides between priorities.
TAKE = text(
    f"""
    WITH offered AS (
        SELECT o.id, array_position(enum_range(NULL::priority), o.priority)
               - extract(epoch FROM now() - o.created_at) / :ageing AS urgency
        FROM unnest(enum_range(NULL::priority)) AS p(priority) CROSS JOIN LATERAL (
            SELECT id, priority, created_at FROM jobs
            WHERE state = '{JobState.WAITING}' AND queue = CAST(:queue AS queue) AND priority = p.priority
            AND not_before <= now() ORDER BY not_before, id LIMIT :room FOR UPDATE SKIP LOCKED
        ) o
    ), chosen AS (SELECT id, urgency FROM offered ORDER BY urgency, id LIMIT :room)
    UPDATE jobs SET state = '{JobState.SENT}', deadline = now() + make_interval(secs => :deadline)
    FROM chosen WHERE jobs.id = chosen.id
    RETURNING jobs.id, jobs.kind, jobs.priority, jobs.alone, chosen.urgency
    """
)
UNCLAIMED = text(
    f"UPDATE jobs SET state = '{JobState.WAITING}', deadline = NULL "
    f"WHERE state = '{JobState.SENT}' AND deadline < now()"
)
DIED = text(
    f"""
    WITH died AS (
        UPDATE jobs SET state = '{JobState.WAITING}', deadline = NULL, worker = NULL, alone = true,
               deaths_alone = deaths_alone + CASE WHEN alone OR kind <> 'categorise' THEN 1 ELSE 0 END
        WHERE state = '{JobState.LEASED}' AND deadline < now() RETURNING id, attempt, deaths_alone
    ), noted AS (
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
        """One waiting job per revision, and a NOTIFY for the relay when this commits."""
        self._connection.execute(
            ADD,
            {
                "priority": priority,
                "queue": queue_of(JobKind.CATEGORISE, priority),
                "listings": list(listing_ids),
                "revisions": list(revision_ids),
            },
        )
        wake_relay(self._connection)

    def supersede(self, listing_ids: Sequence[int], reason: str) -> int:
        """End every open job of these listings; a worker that holds one will find its fence broken."""
        return self._connection.execute(SUPERSEDE, {"listings": list(listing_ids), "reason": reason}).rowcount

    def sweep(self, policy: RetryPolicy) -> SweepCounts:
        """Return jobs whose deadline has passed.

        A job that died in company is sent alone next and nothing is held against it; one that died alone
        ``deaths_alone_limit`` times is given up.
        """
        unclaimed = self._connection.execute(UNCLAIMED).rowcount
        died = self._connection.execute(DIED).all()
        dead = [row.id for row in died if row.deaths_alone >= policy.deaths_alone_limit]
        if dead:
            repository.bury(
                self._connection, dead, f"its worker died {policy.deaths_alone_limit} times while working on it alone"
            )
        return SweepCounts(unclaimed=unclaimed, died=len(died), dead=len(dead))

    def take(self, queue: Queue, policy: FlowPolicy) -> list[Batch]:
        """Mark the most urgent waiting jobs ``sent`` and group them.

        About twice what the living workers hold may be out at a time, so that the backlog stays where it is durable.
        """
        state = self._connection.execute(ROOM, {"queue": queue, "timeout": policy.worker_timeout}).one()
        size = _batch_size(queue, state.seconds, policy)
        room = 2 * state.slots * size - state.out
        if room <= 0:
            return []
        rows = self._connection.execute(
            TAKE, {"queue": queue, "room": room, "ageing": policy.ageing, "deadline": policy.sent_deadline}
        ).all()
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        batches: list[tuple[float, Batch]] = []
        for row in sorted(rows, key=lambda r: (r.urgency, r.id)):
            if row.alone or row.kind != JobKind.CATEGORISE:
                batches.append((row.urgency, Batch(queue, JobKind(row.kind), Priority(row.priority), (row.id,))))
            else:
                groups[(row.kind, row.priority)].append(row.id)
        urgency = {row.id: row.urgency for row in rows}
        for (kind, priority), ids in groups.items():
            for start in range(0, len(ids), size):
                part = tuple(ids[start : start + size])
                batches.append((urgency[part[0]], Batch(queue, JobKind(kind), Priority(priority), part)))
        return [batch for _, batch in sorted(batches, key=lambda pair: pair[0])]

    def put_back(self, job_ids: Sequence[int]) -> None:
        """Jobs whose publishing failed wait again."""
        self._connection.execute(
            text(
                f"UPDATE jobs SET state = '{JobState.WAITING}', deadline = NULL "
                f"WHERE id = ANY(:ids) AND state = '{JobState.SENT}'"
            ),
            {"ids": list(job_ids)},
        )

    def replay(self, letter_ids: Sequence[int] | None, reason_contains: str | None) -> int:
        """Set the jobs of open dead letters waiting again."""
        replayed = repository.replay(self._connection, letter_ids, reason_contains)
        wake_relay(self._connection)
        return replayed


def _batch_size(queue: Queue, seconds: float | None, policy: FlowPolicy) -> int:
    """How many listings one message carries; somebody waits for an interactive one, so it travels alone."""
    if queue is not Queue.CATEGORISE:
        return 1
    if not seconds:
        return min(UNKNOWN_SPEED_BATCH, policy.batch_limit)
    return max(1, min(int(policy.batch_seconds / seconds), policy.batch_limit))
