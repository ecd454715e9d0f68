"""Jobs brought to the state that a contract test begins with."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.claimed_job import AttemptResult, ClaimedJob, ClaimedLongJob
from pipeline.domain.job import AnnouncedWorker, Batch, FlowPolicy, JobKind, Priority, Queue, RetryPolicy, SweepCounts
from pipeline.domain.listing import Content, Submission
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.intake import accept
from tests.contracts.contract_store import ContractStore

RETRY = RetryPolicy(attempt_limit=3, deaths_alone_limit=2, first_delay=1.0)
FLOW = FlowPolicy(batch_limit=4, sent_deadline=30.0, ageing=120.0, worker_timeout=15.0)
LEASE = 20.0


def announce(units: UnitsOfWork, queue: Queue = Queue.CATEGORISE, slots: int = 4, name: str = "worker") -> None:
    """Announce a worker."""
    with units() as unit:
        unit.workers.announce(AnnouncedWorker(f"{name}-{queue}", "serve", queue, slots))
        unit.commit()


def post(units: UnitsOfWork, source: Source, *external_ids: str, priority: Priority = Priority.PIPELINE) -> list[int]:
    """Accept a listing for each id, each with a photo; returns the revisions."""
    submissions = [Submission(one, Content(f"Mug {one}", images=(f"uploads/{one}",))) for one in external_ids]
    return [receipt.revision_id for receipt in accept(units, source.id, submissions, priority)]


def take(units: UnitsOfWork, queue: Queue = Queue.CATEGORISE) -> list[Batch]:
    """Mark waiting jobs ``sent``."""
    with units() as unit:
        batches = unit.outbox.take_batches(queue, FLOW)
        unit.commit()
    return batches


def claim(units: UnitsOfWork, job_ids: Sequence[int]) -> list[ClaimedJob]:
    """Claim jobs."""
    with units() as unit:
        claimed = unit.claims.claim(job_ids, "worker/1", LEASE)
        unit.commit()
    return claimed


def claim_all(units: UnitsOfWork) -> list[ClaimedJob]:
    """Send and claim every job that is due."""
    announce(units)
    return claim(units, [job_id for batch in take(units) for job_id in batch.job_ids])


def claim_long_job(store: ContractStore, kind: JobKind) -> ClaimedLongJob:
    """Add, send and claim a long job."""
    announce(store.units, Queue.TRAINING)
    job_id = store.add_long_job(kind)
    take(store.units, Queue.TRAINING)
    with store.units() as unit:
        job = unit.claims.claim_long_job(job_id, "trainer/1", LEASE)
        unit.commit()
    assert job is not None
    return job


def finish(units: UnitsOfWork, *results: AttemptResult) -> int:
    """Write results; returns how many were written."""
    with units() as unit:
        written = unit.claims.finish(results, RETRY)
        unit.commit()
    return written


def sweep(units: UnitsOfWork) -> SweepCounts:
    """Return the jobs whose deadline has passed."""
    with units() as unit:
        counts = unit.outbox.sweep(RETRY)
        unit.commit()
    return counts
