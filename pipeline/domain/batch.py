"""Batches: the jobs that travel to a worker in one message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.domain.job import FlowPolicy, JobKind, Priority, Queue

UNKNOWN_SPEED_BATCH = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids of jobs that travel in one message."""

    queue: Queue
    kind: JobKind
    priority: Priority
    job_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JobToSend:
    """A job that is due. It travels ``alone`` after its worker died while working on several."""

    job_id: int
    kind: JobKind
    priority: Priority
    alone: bool


def batch_size(queue: Queue, seconds_per_listing: float | None, policy: FlowPolicy) -> int:
    """How many listings one message carries; a user waits for an interactive one, so it travels alone."""
    if queue is not Queue.CATEGORISE:
        return 1
    if not seconds_per_listing:
        return min(UNKNOWN_SPEED_BATCH, policy.batch_limit)
    return max(1, min(int(policy.batch_seconds / seconds_per_listing), policy.batch_limit))


def group_into_batches(queue: Queue, jobs: Iterable[JobToSend], size: int) -> list[Batch]:
    """Group jobs, given the most urgent first, into batches of one kind and priority and at most ``size`` jobs.

    The batches come in the order of their most urgent jobs. Long jobs travel alone.
    """
    batches: list[tuple[JobKind, Priority, list[int]]] = []
    last_of: dict[tuple[JobKind, Priority], list[int]] = {}
    for job in jobs:
        together = job.kind is JobKind.CATEGORISE and not job.alone
        job_ids = last_of.get((job.kind, job.priority)) if together else None
        if job_ids is None or len(job_ids) == size:
            job_ids = []
            batches.append((job.kind, job.priority, job_ids))
            if together:
                last_of[job.kind, job.priority] = job_ids
        job_ids.append(job.job_id)
    return [Batch(queue, kind, priority, tuple(job_ids)) for kind, priority, job_ids in batches]
