"""The worker that brings in products from product databases: threads of one process, since it mostly waits."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from celery import signals

from infra.settings import Settings
from infra.sources.factory import open_source
from infra.store.imports.opening import resume_import, waits_in_vain
from infra.store.imports.repository import end_import
from infra.store.imports.staging import encode_rows
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.errors import Conflict, NotFound, PermanentFailure, RateLimited
from pipeline.domain.import_run import ImportRun, ImportStatus
from pipeline.domain.job import AnnouncedWorker, Queue
from pipeline.domain.product_source import SourceBusy
from pipeline.domain.verdict import Verdict
from pipeline.steps.collect import collect
from pipeline.steps.jobs import reset_failures
from workers.bootstrap import WorkerContext, build, unpooled_units
from workers.celery_app import LONG_JOB_TASK, create_celery, run_celery_worker
from workers.garbage_collection import expect_many_objects
from workers.job_runner import Postponed, progress_reporter, run_long_job

SLOTS = 4
PATIENCE = 5.0  # seconds that a page may wait for its turn here; who must wait longer leaves the slot to others
SHORTEST_REST, LONGEST_REST = 0.5, 3600.0  # however short or long a source asks to be left alone
TOLD_TO_STOP = "the worker was told to stop"
TO_OTHERS = 1.0  # seconds within which a worker that ends asks for no more
OTHERS_AT_IT = 15.0  # seconds after which to look whether the process that is at an import has ended


def run_collector(settings: Settings, role: str, slots: int) -> None:
    """Work on the queue ``collecting`` until told to stop: SIGTERM ends each import in hand at its next page."""
    name = f"{role}@{socket.gethostname()}-{uuid.uuid4().hex[:6]}"
    celery = create_celery(settings)
    context = build(settings, application=f"rayon {name}")
    expect_many_objects()
    stop = threading.Event()
    body = collector(stop.is_set)

    @celery.task(name=LONG_JOB_TASK)
    def run_task(job_ids: Sequence[int]) -> None:
        for job_id in job_ids:
            run_long_job(context, f"{name}/{os.getpid()}", job_id, body)

    signals.worker_shutting_down.connect(lambda **_: stop.set(), weak=False)
    units = unpooled_units(settings, application=f"rayon {name}")
    run_celery_worker(celery, units, AnnouncedWorker(name, role, Queue.COLLECTING, slots), "threads")


def collector(stopping: Callable[[], bool] = lambda: False) -> Callable[[WorkerContext, ClaimedLongJob], str]:
    """The work of a run of kind ``collect``; where it can be left it asks ``stopping``, and goes on later if so.

    Neither a busy source nor another process at the same import is a failure: the run is put off. But a source that
    has had nothing for us for as long as the settings say is given up, and the import with it.
    """

    def work(context: WorkerContext, run: ClaimedLongJob) -> str:
        try:
            return _work(context, run, stopping)
        except (SourceBusy, RateLimited) as busy:
            _give_up_in_time(context, run, str(busy))
            raise Postponed(str(busy), min(max(busy.retry_after or 0.0, SHORTEST_REST), LONGEST_REST)) from busy
        except Conflict as conflict:
            raise Postponed(str(conflict), OTHERS_AT_IT) from conflict
        except NotFound as gone:
            raise PermanentFailure(str(gone)) from gone

    return work


def _give_up_in_time(context: WorkerContext, run: ClaimedLongJob, why: str) -> None:
    hours, import_id = context.settings.collect_patience_hours, int(run.payload["import_id"])
    with context.engine.begin() as connection:
        in_vain = waits_in_vain(connection, import_id, 3600 * hours)
    if in_vain:
        raise PermanentFailure(
            f"{why}; no page has come for {hours:g} hours (RAYON_COLLECT_PATIENCE_HOURS), so import {import_id} is "
            "given up. What it took in stays: once the database answers again, ask for the same, or replay its dead "
            "letter, and it goes on from there"
        )


def _work(context: WorkerContext, run: ClaimedLongJob, stopping: Callable[[], bool]) -> str:
    if stopping():
        raise Postponed(TOLD_TO_STOP, TO_OTHERS)
    report = progress_reporter(context, run)
    now = ImportRun(int(run.payload["import_id"]))
    # A run has a time limit, and others wait for their turn; what is taken in is kept.
    until = time.monotonic() + context.settings.training_time_limit / 2

    def tell(doing: str) -> None:
        """While the source waits, or fetches a file that is large."""
        report(now.share or 0.0, doing)
        if stopping() or time.monotonic() > until:
            why = TOLD_TO_STOP if stopping() else "it gives way to others"
            raise Postponed(f"{now.row} products; {why}, and it goes on from there", TO_OTHERS)

    def told(then: ImportRun) -> None:
        nonlocal now
        now = then
        reset_failures(context.units, run)
        if now.ended:
            report(1.0, f"{now.row} products")
        else:
            tell(f"{now.row} products")

    with resume_import(context.engine, now.id) as errand:
        now = errand.run
        if not errand.done:
            source = open_source(errand.database, context.settings, patience=PATIENCE, progress=tell)
            now = collect(context.units, source, errand.query, errand.source_id, now, told, encode_rows)
            with context.engine.begin() as connection:
                end_import(connection, now.id, ImportStatus.DONE)
    counts = ", ".join(f"{now.verdicts[verdict]} {verdict}" for verdict in Verdict)
    return f"import {now.id}: {now.row} products: {counts}"
