"""Run claimed long jobs until they are done, failed or postponed, and renew the leases of claimed jobs meanwhile.

The short categorisations run in ``worker``, which uses the same ``heartbeat``.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from pipeline.domain.claimed_job import Claim, ClaimedLongJob, LongJobResult
from pipeline.domain.errors import InvalidInput, PermanentFailure, TransientFailure, Unavailable
from pipeline.domain.progress import Progress
from pipeline.domain.reason import Reason, reason_of
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.jobs import claim_long_job, end_long_job, postpone, renew_leases, report_progress
from workers.bootstrap import WorkerContext

log = logging.getLogger(__name__)

REPORT_INTERVAL = 0.5  # seconds

# Handles a long job and returns a sentence that describes the result.
LongJobHandler = Callable[[WorkerContext, ClaimedLongJob], str]


class Postponed(Exception):
    """Raised by a handler whose job is to continue in ``seconds``; this does not count as a failure."""

    def __init__(self, note: str, seconds: float) -> None:
        super().__init__(note)
        self.seconds = seconds


@contextmanager
def heartbeat(units: UnitsOfWork, claims: Sequence[Claim], lease: float, hard_limit: float) -> Iterator[None]:
    """Renew the leases every ``lease / 3`` seconds, from a separate thread, until the block ends."""
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(lease / 3):
            try:
                renew_leases(units, claims, lease, hard_limit)
            except SQLAlchemyError:
                # The leases may expire while the database is unreachable; then writes of this attempt are rejected.
                log.warning("could not renew the leases of %d jobs", len(claims), exc_info=True)

    thread = threading.Thread(target=renew, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def run_long_job(context: WorkerContext, worker: str, job_id: int, handler: LongJobHandler) -> None:
    """Claim a long job, handle it while renewing its lease, and store the result."""
    settings = context.settings
    job = claim_long_job(context.units, job_id, worker, settings.lease)
    if job is None:
        return
    try:
        with heartbeat(context.units, [job.claim], settings.lease, settings.training_time_limit):
            result = _handle(context, job, handler)
    except Postponed as postponed:
        postpone(context.units, job.claim, str(postponed), postponed.seconds)
    else:
        end_long_job(context.units, job, result, settings.retry_policy())


def _handle(context: WorkerContext, job: ClaimedLongJob, handler: LongJobHandler) -> LongJobResult:
    try:
        return LongJobResult(Reason.other(handler(context, job)))
    except Postponed:
        raise
    except (InvalidInput, PermanentFailure, Unavailable) as failure:
        # The text of these errors is meant for users, and another attempt would fail in the same way.
        return LongJobResult(reason_of(failure), str(failure), permanent=True)
    except Exception as failure:
        log.exception("job %d failed", job.job_id)
        note = Reason.other(f"{type(failure).__name__}: {failure}")
        return LongJobResult(note, traceback.format_exc(limit=20))


def progress_reporter(context: WorkerContext, job: ClaimedLongJob) -> Progress:
    """A function that stores the progress of a job, at most twice per second.

    It raises TransientFailure when the claim no longer holds.
    """
    last_report = 0.0

    def report(share: float, note: str, /) -> None:
        nonlocal last_report
        now = time.monotonic()
        if now - last_report < REPORT_INTERVAL:
            return
        last_report = now
        if not report_progress(context.units, job.claim, share, note):
            raise TransientFailure("another worker has taken over this job")

    return report
