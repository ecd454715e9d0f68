"""Long jobs in hand: taken over by a command that does one in its own process, and their failures forgiven."""

from __future__ import annotations

from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.ports.unit_of_work import UnitsOfWork


def take_over(units: UnitsOfWork, job_id: int, deadline: float) -> bool:
    """Take a waiting job from the relay, to be claimed by this process within ``deadline`` seconds.

    False when a worker has it, or when it has ended.
    """
    with units() as unit:
        taken = unit.long_jobs.mark_sent(job_id, deadline)
        unit.commit()
        return taken


def reset_failures(units: UnitsOfWork, job: ClaimedLongJob) -> None:
    """Forget the failures of a job that has made progress, so that only failures in a row count."""
    with units() as unit:
        unit.long_jobs.reset_failures(job)
        unit.commit()
