"""Beat: Celery's scheduler, except that a due entry becomes a row of the outbox, unique by job and period.

Therefore any number of beats may run, even without a broker: each period gets one job. Collections are rows of the
database that beat reads every second, so that changes take effect immediately.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from celery import Celery
from celery.beat import ScheduleEntry, Scheduler, Service
from celery.schedules import schedstate, schedule
from sqlalchemy.exc import SQLAlchemyError

from infra.schedules import read_collect_schedule
from pipeline.domain.collection import ProductRequest
from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import JobKind
from pipeline.domain.product_databases import find_database
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.collections import add_collection, start_due_collections
from pipeline.steps.retention import request_purge
from pipeline.steps.studies import request_due_studies

log = logging.getLogger(__name__)

DAY = 24 * 3600.0
WEEK = 7 * DAY
MAX_FIRST_DELAY = 3600.0  # seconds: maximum delay from the start of beat to the first jobs
RETRY_AFTER = 5.0  # seconds
POLL_INTERVAL = 1.0  # seconds
# Functions that request the job of a kind for a period; they return False if it exists already.
REQUESTS: Mapping[JobKind, Callable[[UnitsOfWork, int], bool]] = {
    JobKind.PURGE: request_purge,
    JobKind.STUDY: request_due_studies,
}


class PeriodicSchedule(schedule):
    """Due once per period of the clock, regardless of when this beat started; periods are counted from 1970.

    After a start, the first job is delayed by a tenth of a period, at most an hour, so that starts are not busy. A job
    that could not be inserted is due again a few seconds later.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(run_every=seconds)
        self._first = time.time() + min(MAX_FIRST_DELAY, seconds / 10)
        self.inserted_period: int | None = None

    def is_due(self, last_run_at: datetime) -> schedstate:  # noqa: ARG002  # Celery's signature
        """Whether this beat has yet to insert the job of the current period, and the seconds until the next check."""
        now = time.time()
        if now < self._first:
            return schedstate(is_due=False, next=self._first - now)
        if self.inserted_period != period(now, self.seconds):
            return schedstate(is_due=True, next=min(RETRY_AFTER, self.seconds))
        return schedstate(is_due=False, next=self.seconds - now % self.seconds)


class CollectionSchedule:
    """Starts the collections that are due; ``configured``, the setting RAYON_COLLECT_SCHEDULE, adds collections."""

    def __init__(self, units: UnitsOfWork, configured: str = "") -> None:
        self._units = units
        self._configured = configured
        self._database_unreachable = False

    def start_due(self) -> None:
        """Start the due collections, on the first call after adding the configured ones; tolerates database outages."""
        try:
            if self._configured:
                self._add_configured()
                self._configured = ""
            for due in start_due_collections(self._units):
                if due.still_running is not None:
                    log.warning(
                        "collection %d is due, but its import %d still runs: it is skipped this time",
                        due.collection_id,
                        due.still_running,
                    )
                elif due.import_id is not None:
                    log.info("collection %d is due: import %d", due.collection_id, due.import_id)
            self._database_unreachable = False
        except SQLAlchemyError:
            if not self._database_unreachable:
                log.warning("the database does not answer; collections continue once it does", exc_info=True)
            self._database_unreachable = True

    def _add_configured(self) -> None:
        try:
            queries = read_collect_schedule(self._configured)
            for query in queries:
                find_database(query.database, "")
            for query in queries:
                products = ProductRequest(query.database, query.query, query.source, query.taxonomy)
                add_collection(self._units, products, query.schedule)
        except InvalidInput as error:
            # Other due jobs must not wait until the setting is corrected.
            log.error("RAYON_COLLECT_SCHEDULE cannot be used: %s", error)


class OutboxScheduler(Scheduler):
    """Keeps its schedule in memory: a unique key in the outbox, not a file, prevents duplicate jobs."""

    units: UnitsOfWork
    collections: CollectionSchedule

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Start due collections and jobs; returns the seconds until the next call."""
        self.collections.start_due()
        return min(float(super().tick(*arguments, **options)), POLL_INTERVAL)

    def apply_async(
        self,
        entry: ScheduleEntry,
        producer: Any = None,  # noqa: ARG002  # Celery's signature
        advance: bool = True,  # noqa: FBT001, FBT002  # Celery's signature
        **_options: Any,
    ) -> None:
        """Insert the job of the current period, unless another beat already has."""
        if advance:
            self.reserve(entry)
        assert entry.task is not None
        periodic = entry.schedule
        assert isinstance(periodic, PeriodicSchedule)
        current_period = period(time.time(), periodic.seconds)
        inserted = REQUESTS[JobKind(entry.task)](self.units, current_period)
        periodic.inserted_period = current_period
        log.info("%s is due: %s", entry.task, "added" if inserted else "already there")


def period(now: float, seconds: float) -> int:
    """The number of the period that contains the time ``now``."""
    return int(now // seconds)


def beat_service(
    celery: Celery, units: UnitsOfWork, purge_every: float = DAY, study_every: float = WEEK, collections: str = ""
) -> Service:
    """The beat service, ready to ``start()``; ``study_every`` is the interval of studies in seconds, 0 for no studies.

    ``collections`` is the setting RAYON_COLLECT_SCHEDULE.
    """
    entries = {"purge": {"task": JobKind.PURGE.value, "schedule": PeriodicSchedule(purge_every)}}
    if study_every:
        entries["study"] = {"task": JobKind.STUDY.value, "schedule": PeriodicSchedule(study_every)}
    celery.conf.beat_schedule = entries
    celery.conf.beat_max_loop_interval = 5
    # Celery instantiates the scheduler itself, from a class.
    attributes = {"units": staticmethod(units), "collections": CollectionSchedule(units, collections)}
    scheduler = type("BoundScheduler", (OutboxScheduler,), attributes)
    return Service(celery, max_interval=5, scheduler_cls=scheduler)
