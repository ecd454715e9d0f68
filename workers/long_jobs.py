"""A long job in hand: claimed, done under a renewed lease, and ended, put off or failed as its work tells."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable

from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.errors import InvalidInput, PermanentFailure, TransientFailure, Unavailable
from workers.bootstrap import WorkerContext
from workers.lease_heartbeat import heartbeat

log = logging.getLogger(__name__)

REPORT_EVERY = 0.5

# What does the work of a run; returns a sentence on how it ended.
RunBody = Callable[[WorkerContext, ClaimedLongJob], str]


class PutOff(Exception):
    """Raised by the work of a run that is to go on later: ``seconds`` from now; nothing is counted against it."""

    def __init__(self, note: str, seconds: float) -> None:
        super().__init__(note)
        self.seconds = seconds


def do_run(context: WorkerContext, worker: str, job_id: int, body: RunBody) -> None:
    """Claim a run, do it under a renewed lease, and write how it ended."""
    lease = context.settings.lease
    with context.units() as unit:
        run = unit.claims.claim_run(job_id, worker, lease)
        unit.commit()
    if run is None:
        return
    error: str | None = None
    permanent = False
    later: float | None = None
    with heartbeat(context.units, [(run.job_id, run.attempt)], lease, context.settings.training_time_limit):
        try:
            note = body(context, run)
        except PutOff as asked:
            note, later = str(asked), asked.seconds
        except (InvalidInput, PermanentFailure, Unavailable) as failure:
            # The text of these errors is fit for a user, and trying again changes nothing.
            note, error, permanent = str(failure), str(failure), True
        except Exception as failure:
            note, error = f"{type(failure).__name__}: {failure}", traceback.format_exc(limit=20)
            log.exception("job %d failed", run.job_id)
    with context.units() as unit:
        if later is not None:
            unit.claims.put_off(run, note, later)
        else:
            unit.claims.end_run(run, note, error, permanent, context.settings.retry_policy())
        unit.commit()


def reporter(context: WorkerContext, run: ClaimedLongJob) -> Callable[[float, str], None]:
    """Writes progress to the job, at most twice a second; raises TransientFailure when the job is no longer ours."""
    last = 0.0

    def report(share: float, note: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < REPORT_EVERY:
            return
        last = now
        with context.units() as unit:
            held = unit.claims.report(run, share, note)
            unit.commit()
        if not held:
            raise TransientFailure("another worker has taken over this job")

    return report
