"""The worker that imports products from product databases, in threads of one process, since it mostly waits."""

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
from infra.store.imports.bulk_import import encode_rows
from infra.store.imports.repository import import_locks
from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.errors import Conflict, NotFound, PermanentFailure, RateLimited
from pipeline.domain.import_run import ImportRecord, ImportRun, ImportStatus
from pipeline.domain.job import AnnouncedWorker, Queue
from pipeline.domain.product_source import SourceBusy
from pipeline.domain.verdict import PRODUCT_VERDICTS
from pipeline.steps.collect import CollectContext, collect
from pipeline.steps.imports import end_import, note_waiting, resumed_import
from pipeline.steps.jobs import reset_failures
from workers.bootstrap import WorkerContext, build, unpooled_units
from workers.celery_app import LONG_JOB_TASK, create_celery, run_celery_worker
from workers.garbage_collection import expect_many_objects
from workers.long_job_runner import LongJobHandler, Postponed, progress_reporter, run_long_job

SLOTS = 4
MAX_PERMIT_WAIT = (
    5.0  # seconds that a page waits for a permit; for longer waits the job is postponed and frees its slot
)
MIN_BUSY_DELAY, MAX_BUSY_DELAY = 0.5, 3600.0  # seconds: bounds of the delay that a busy source may ask for
WORKER_STOPPING = "the worker was told to stop"
YIELD_DELAY = 1.0  # seconds; a worker that is stopping claims no more jobs within this time
LOCKED_RETRY_SECONDS = 15.0  # until the next attempt, when another process holds the lock of the import


def run_collector(settings: Settings, role: str, slots: int) -> None:
    """Work on the queue ``collecting`` until told to stop: SIGTERM ends each import at its next page."""
    name = f"{role}@{socket.gethostname()}-{uuid.uuid4().hex[:6]}"
    celery = create_celery(settings)
    context = build(settings, application=f"rayon {name}")
    expect_many_objects()
    stop = threading.Event()
    handler = collect_handler(stop.is_set)

    @celery.task(name=LONG_JOB_TASK)
    def run_task(job_ids: Sequence[int]) -> None:
        for job_id in job_ids:
            run_long_job(context, f"{name}/{os.getpid()}", job_id, handler)

    signals.worker_shutting_down.connect(lambda **_: stop.set(), weak=False)
    units = unpooled_units(settings, application=f"rayon {name}")
    run_celery_worker(celery, units, AnnouncedWorker(name, role, Queue.COLLECTING, slots), "threads")


def collect_handler(is_stopping: Callable[[], bool] = lambda: False) -> LongJobHandler:
    """The handler of jobs of kind ``collect``; between pages it checks ``is_stopping``, and postpones the job if so.

    Neither a busy source nor another process that works on the same import is a failure: the job is postponed. If no
    page has come for as long as the settings allow, the import fails for good.
    """

    def handle(context: WorkerContext, job: ClaimedLongJob) -> str:
        try:
            return _ImportJob(context, job, is_stopping).run()
        except (SourceBusy, RateLimited) as busy:
            _fail_if_overdue(context, job, str(busy))
            cause = busy.cause if isinstance(busy, SourceBusy) else str(busy)
            raise Postponed(cause, min(max(busy.retry_after or 0.0, MIN_BUSY_DELAY), MAX_BUSY_DELAY)) from busy
        except Conflict as conflict:
            raise Postponed(str(conflict), LOCKED_RETRY_SECONDS) from conflict
        except NotFound as missing:
            raise PermanentFailure(str(missing)) from missing

    return handle


def _fail_if_overdue(context: WorkerContext, job: ClaimedLongJob, cause: str) -> None:
    hours, import_id = context.settings.collect_patience_hours, int(job.payload["import_id"])
    if note_waiting(context.units, import_id, 3600 * hours):
        raise PermanentFailure(
            f"{cause}; no page has come for {hours:g} hours (RAYON_COLLECT_PATIENCE_HOURS), so import {import_id} is "
            "given up. What it imported stays: once the database answers again, ask for the same, or replay its dead "
            "letter, and it continues from there"
        )


class _ImportJob:
    """A job of kind ``collect``: its import so far, its progress, and when to pause."""

    def __init__(self, context: WorkerContext, job: ClaimedLongJob, is_stopping: Callable[[], bool]) -> None:
        self._context, self._job, self._is_stopping = context, job, is_stopping
        self._import = ImportRun(int(job.payload["import_id"]))
        self._report = progress_reporter(context, job)
        # A job has a time limit, and other imports wait for this slot; imported pages are kept.
        self._deadline = time.monotonic() + context.settings.training_time_limit / 2

    def run(self) -> str:
        """Import all pages; returns a sentence with the counts."""
        if self._is_stopping():
            raise Postponed(WORKER_STOPPING, YIELD_DELAY)
        context = self._context
        with resumed_import(context.units, import_locks(context.engine), self._import.id) as record:
            self._import = record.run
            if record.status is not ImportStatus.DONE:
                self._import = self._collect(record)
                end_import(context.units, self._import.id, ImportStatus.DONE)
        run = self._import
        counts = ", ".join(f"{run.verdicts[verdict]} {verdict}" for verdict in PRODUCT_VERDICTS)
        return f"import {run.id}: {run.row} products: {counts}"

    def _collect(self, record: ImportRecord) -> ImportRun:
        context = self._context
        assert record.database is not None
        assert record.query is not None  # not an import of a file
        source = open_source(record.database, context.settings, patience=MAX_PERMIT_WAIT, progress=self._stop_or_report)
        ports = CollectContext(context.units, source, encode_rows, self._page_imported)
        return collect(ports, record.query, record.source_id, record.run)

    def _page_imported(self, run: ImportRun) -> None:
        self._import = run
        reset_failures(self._context.units, self._job)
        if run.ended:
            self._report(1.0, f"{run.row} products")
        else:
            self._stop_or_report(f"{run.row} products")

    def _stop_or_report(self, activity: str) -> None:
        """Report progress between pages, and while the source waits or fetches a large file; raises Postponed."""
        self._report(self._import.share or 0.0, activity)
        stopping = self._is_stopping()
        if stopping or time.monotonic() > self._deadline:
            cause = WORKER_STOPPING if stopping else "it gives way to other imports"
            raise Postponed(f"{self._import.row} products; {cause}, and it continues from there", YIELD_DELAY)
