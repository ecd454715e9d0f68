"""The life of jobs after intake: sending, sweeping, claiming, renewing and ending them; and their workers.

Workers announce that they are alive, so that the relay knows how many jobs to send.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pipeline.domain.claimed_job import Claim, ClaimedLongJob, LongJobResult
from pipeline.domain.job import AnnouncedWorker, Batch, FlowPolicy, Queue, RetryPolicy, SweepCounts
from pipeline.ports.unit_of_work import UnitsOfWork

log = logging.getLogger(__name__)


def sweep(units: UnitsOfWork, policy: RetryPolicy) -> SweepCounts:
    """Return jobs past their deadline to ``waiting``; end those as ``dead`` whose worker died too often."""
    with units() as unit:
        counts = unit.outbox.sweep(policy)
        unit.commit()
    return counts


def send(units: UnitsOfWork, publish: Callable[[Batch], None], policy: FlowPolicy) -> int:
    """Publish as many jobs as the queues have room for; returns how many were published.

    No transaction is open while ``publish`` runs: jobs are first committed as ``sent``, and returned to ``waiting`` if
    it fails.
    """
    published = 0
    for queue in Queue:
        with units() as unit:
            batches = unit.outbox.take_batches(queue, policy)
            unit.commit()
        for index, batch in enumerate(batches):
            try:
                publish(batch)
            except Exception:  # any error: the jobs are stored and wait again
                log.warning("could not publish; the jobs wait again", exc_info=True)
                _requeue(units, batches[index:])
                return published
            published += len(batch.job_ids)
    return published


def _requeue(units: UnitsOfWork, batches: Sequence[Batch]) -> None:
    with units() as unit:
        unit.outbox.requeue([job_id for batch in batches for job_id in batch.job_ids])
        unit.commit()


def renew_leases(units: UnitsOfWork, claims: Sequence[Claim], lease: float, hard_limit: float) -> None:
    """Extend the leases of claims that still hold, up to ``hard_limit`` seconds after the claim."""
    with units() as unit:
        unit.claims.renew(claims, lease, hard_limit)
        unit.commit()


def claim_long_job(units: UnitsOfWork, job_id: int, worker: str, lease: float) -> ClaimedLongJob | None:
    """Claim a long job for ``lease`` seconds if it is still ``sent``."""
    with units() as unit:
        job = unit.claims.claim_long_job(job_id, worker, lease)
        unit.commit()
    return job


def take_over(units: UnitsOfWork, job_id: int, deadline: float) -> bool:
    """Take over a waiting job from the relay, to be claimed by this process within ``deadline`` seconds.

    Returns False if the job is not waiting: it was sent to a worker, or has ended.
    """
    with units() as unit:
        taken_over = unit.long_jobs.mark_sent(job_id, deadline)
        unit.commit()
    return taken_over


def reset_failures(units: UnitsOfWork, job: ClaimedLongJob) -> None:
    """Reset the failure count of a job that has made progress, so that only consecutive failures count."""
    with units() as unit:
        unit.long_jobs.reset_failures(job)
        unit.commit()


def report_progress(units: UnitsOfWork, claim: Claim, progress: float, note: str) -> bool:
    """Write the progress of a long job (0 to 1); returns False if the claim no longer holds."""
    with units() as unit:
        claim_holds = unit.claims.report_progress(claim, progress, note)
        unit.commit()
    return claim_holds


def postpone(units: UnitsOfWork, claim: Claim, note: str, seconds: float) -> bool:
    """Return a long job to ``waiting`` for ``seconds`` without a failure; False if the claim no longer holds."""
    with units() as unit:
        claim_holds = unit.claims.postpone(claim, note, seconds)
        unit.commit()
    return claim_holds


def end_long_job(units: UnitsOfWork, job: ClaimedLongJob, result: LongJobResult, policy: RetryPolicy) -> bool:
    """End a long job, or return it to ``waiting`` for a retry; returns False if the claim no longer holds."""
    with units() as unit:
        claim_holds = unit.claims.end_long_job(job, result, policy)
        unit.commit()
    return claim_holds


def announce_worker(units: UnitsOfWork, worker: AnnouncedWorker) -> None:
    """Record that a worker is alive."""
    with units() as unit:
        unit.workers.announce(worker)
        unit.commit()


def remove_worker(units: UnitsOfWork, name: str) -> None:
    """Remove a worker that shuts down."""
    with units() as unit:
        unit.workers.remove(name)
        unit.commit()


def report_speed(units: UnitsOfWork, worker: str, seconds_per_listing: float) -> None:
    """Update the running mean of the time that a worker takes per listing."""
    with units() as unit:
        unit.workers.report_speed(worker, seconds_per_listing)
        unit.commit()
