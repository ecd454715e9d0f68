"""The outbox, dead letters and workers in memory."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.job import (
    OPEN_STATES,
    OUT_STATES,
    AnnouncedWorker,
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
)
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from tests.fakes.tables import StoredDeadLetter, StoredJob, StoredWorker, Tables

FORGET_AFTER = 3600.0
URGENCY = {priority: place for place, priority in enumerate(Priority)}


class MemoryOutbox:
    """Implements ``pipeline.ports.repositories.Outbox``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, listing_ids: Sequence[int], revision_ids: Sequence[int], priority: Priority) -> None:
        """Add a waiting job for each revision."""
        now = self._tables.now
        for listing_id, revision_id in zip(listing_ids, revision_ids, strict=True):
            job = StoredJob(
                self._tables.next_id(),
                JobKind.CATEGORISE,
                priority,
                listing_id,
                revision_id,
                created_at=now,
                not_before=now,
            )
            self._tables.jobs[job.id] = job
        self._tables.relay_notified += 1

    def supersede(self, listing_ids: Sequence[int], reason: str) -> int:
        """End every open job of these listings."""
        jobs = [j for j in self._tables.jobs.values() if j.listing_id in set(listing_ids) and j.state in OPEN_STATES]
        for job in jobs:
            job.state, job.deadline, job.note = JobState.SUPERSEDED, None, reason
        return len(jobs)

    def take_batches(self, queue: Queue, policy: FlowPolicy) -> list[Batch]:
        """Mark the most urgent waiting jobs ``sent`` and group them."""
        now = self._tables.now
        workers = [
            stored
            for stored in self._tables.workers.values()
            if stored.worker.queue is queue and stored.seen_at > now - policy.worker_timeout
        ]
        speeds = [stored.seconds_per_listing for stored in workers if stored.seconds_per_listing is not None]
        size = batch_size(queue, sum(speeds) / len(speeds) if speeds else None, policy)
        jobs = [job for job in self._tables.jobs.values() if job.queue is queue]
        out = sum(job.state in OUT_STATES for job in jobs)
        room = max(0, 2 * sum(stored.worker.slots for stored in workers) * size - out)
        due = [job for job in jobs if job.state is JobState.WAITING and job.not_before <= now]
        due.sort(key=lambda job: (URGENCY[job.priority] - (now - job.created_at) / policy.ageing, job.id))
        for job in due[:room]:
            job.state, job.deadline = JobState.SENT, now + policy.sent_deadline
        return group_into_batches(
            queue, [JobToSend(job.id, job.kind, job.priority, job.alone) for job in due[:room]], size
        )

    def requeue(self, job_ids: Sequence[int]) -> None:
        """Return ``sent`` jobs to ``waiting``."""
        for job_id in job_ids:
            job = self._tables.jobs[job_id]
            if job.state is JobState.SENT:
                job.state, job.deadline = JobState.WAITING, None

    def sweep(self, policy: RetryPolicy) -> SweepCounts:
        """Return jobs whose deadline has passed; give up those that died alone too often."""
        late = [j for j in self._tables.jobs.values() if j.deadline is not None and j.deadline < self._tables.now]
        died = [job for job in late if job.state is JobState.LEASED]
        for job in died:
            attempt = self._tables.attempts[job.id, job.attempt]
            attempt.outcome, attempt.error = AttemptOutcome.DIED, "the worker died, or could not renew its lease"
            job.deaths_alone += job.alone or job.kind is not JobKind.CATEGORISE
            job.alone, job.worker = True, None
        for job in late:
            job.state, job.deadline = JobState.WAITING, None
        dead = [job for job in died if job.deaths_alone >= policy.deaths_alone_limit]
        for job in dead:
            give_up(self._tables, job, Reason.of(ReasonCode.WORKER_DIED, n=policy.deaths_alone_limit))
        return SweepCounts(unclaimed=len(late) - len(died), died=len(died), dead=len(dead))

    def wake_relay(self) -> None:
        """Wake the relay."""
        self._tables.relay_notified += 1


def give_up(tables: Tables, job: StoredJob, reason: Reason) -> None:
    """Make a dead letter of a job."""
    job.state, job.deadline = JobState.DEAD, None
    tables.dead_letters.append(StoredDeadLetter(tables.next_id(), job.id, str(reason)))
    tables.events.append(("job_died", job.id))


class MemoryWorkers:
    """Implements ``pipeline.ports.repositories.Workers``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def announce(self, worker: AnnouncedWorker) -> None:
        """Write that a worker is alive; the first time, notify the relay, and forget workers long gone."""
        stored = self._tables.workers.get(worker.name)
        if stored is None:
            forgotten = self._tables.now - FORGET_AFTER
            self._tables.workers = {
                name: other for name, other in self._tables.workers.items() if other.seen_at >= forgotten
            }
            self._tables.workers[worker.name] = StoredWorker(worker, self._tables.now)
            self._tables.relay_notified += 1
        else:
            stored.worker, stored.seen_at = worker, self._tables.now

    def remove(self, name: str) -> None:
        """Remove a worker."""
        self._tables.workers.pop(name, None)

    def report_speed(self, name: str, seconds_per_listing: float) -> None:
        """Update the running mean of a worker's speed."""
        stored = self._tables.workers.get(name)
        if stored is not None:
            former = stored.seconds_per_listing
            former = seconds_per_listing if former is None else former
            stored.seconds_per_listing = 0.7 * former + 0.3 * seconds_per_listing
