"""The outbox in memory."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.batch import Batch
from pipeline.domain.job import OPEN_STATES, FlowPolicy, JobKind, JobState, Priority, Queue, RetryPolicy, SweepCounts
from tests.fakes.tables import StoredJob, Tables


class MemoryOutbox:
    """Implements ``pipeline.ports.repositories.Outbox`` as far as use cases of intake need it."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, listing_ids: Sequence[int], revision_ids: Sequence[int], priority: Priority) -> None:
        """Add a waiting job for each revision."""
        for listing_id, revision_id in zip(listing_ids, revision_ids, strict=True):
            job = StoredJob(self._tables.next_id(), JobKind.CATEGORISE, priority, listing_id, revision_id)
            self._tables.jobs[job.id] = job
        self._tables.relay_notified += 1

    def supersede(self, listing_ids: Sequence[int], reason: str) -> int:
        """End every open job of these listings."""
        jobs = [j for j in self._tables.jobs.values() if j.listing_id in set(listing_ids) and j.state in OPEN_STATES]
        for job in jobs:
            job.state, job.note = JobState.SUPERSEDED, reason
        return len(jobs)

    def sweep(self, policy: RetryPolicy) -> SweepCounts:
        """Not faked: deadlines need a clock."""
        raise NotImplementedError

    def take_batches(self, queue: Queue, policy: FlowPolicy) -> list[Batch]:
        """Not faked: it depends on living workers."""
        raise NotImplementedError

    def requeue(self, job_ids: Sequence[int]) -> None:
        """Not faked."""
        raise NotImplementedError

    def replay(self, letter_ids: Sequence[int] | None, reason_contains: str | None) -> int:
        """Not faked yet."""
        raise NotImplementedError
