"""Beat: Celery's scheduler, but an entry that is due becomes a row of the outbox, unique by job and period.

Therefore any number of beats may run, and the broker may be away: each period gets one job. Collections are rows of the
database that beat reads every second, so that changes take effect at once.
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
MAX_DELAY = 3600.0  # seconds from a start to the first jobs, at most
RETRY_AFTER = 5.0
POLL_INTERVAL = 1.0
# Requests the job of a kind for a period; False when it was there already.
REQUESTS: Mapping[JobKind, Callable[[UnitsOfWork, int], bool]] = {
    JobKind.PURGE: request_purge,
    JobKind.STUDY: request_due_studies,
}


class PeriodicSchedule(schedule):
    """Due once in each period by the clock, whenever this beat was started; the periods count from 1970.

    The first time is a tenth of a period after the start, at most an hour, so that a start is quiet. A job that could
    not be inserted is due again a few seconds later.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(run_every=seconds)
        self._first = time.time() + min(MAX_DELAY, seconds / 10)
        self.inserted: int | None = None

    def is_due(self, last_run_at: datetime) -> schedstate:  # noqa: ARG002  # Celery's signature
        """Whether this beat has yet to insert the job of the present period, and in how many seconds to ask again."""
        now = time.time()
        if now < self._first:
            return schedstate(is_due=False, next=self._first - now)
        if self.inserted != period(now, self.seconds):
            return schedstate(is_due=True, next=min(RETRY_AFTER, self.seconds))
        return schedstate(is_due=False, next=self.seconds - now % self.seconds)


class CollectionSchedule:
    """Starts the collections that are due; ``configured`` is the setting RAYON_COLLECT_SCHEDULE, which adds some."""

    def __init__(self, units: UnitsOfWork, configured: str = "") -> None:
        self._units = units
        self._configured = configured
        self._database_lost = False

    def start_due(self) -> None:
        """Start what is due, the first time after adding what is configured; a lost database is waited for."""
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
            self._database_lost = False
        except SQLAlchemyError:
            if not self._database_lost:
                log.warning("the database does not answer; collections continue once it does", exc_info=True)
            self._database_lost = True

    def _add_configured(self) -> None:
        try:
            queries = read_collect_schedule(self._configured)
            for query in queries:
                find_database(query.database, "")
            for query in queries:
                products = ProductRequest(query.database, query.query, query.source, query.taxonomy)
                add_collection(self._units, products, query.schedule)
        except InvalidInput as error:
            # Everything else that is due must not wait until this is corrected.
            log.error("RAYON_COLLECT_SCHEDULE cannot be used: %s", error)


class OutboxScheduler(Scheduler):
    """Keeps its schedule in memory, since the unique key, not a file, makes each period happen once."""

    units: UnitsOfWork
    collections: CollectionSchedule

    def tick(self, *arguments: Any, **options: Any) -> float:
        """Start what is due; returns the seconds until the next call."""
        self.collections.start_due()
        return min(float(super().tick(*arguments, **options)), POLL_INTERVAL)

    def apply_async(
        self,
        entry: ScheduleEntry,
        producer: Any = None,  # noqa: ARG002  # Celery's signature
        advance: bool = True,  # noqa: FBT001, FBT002  # Celery's signature
        **_options: Any,
    ) -> None:
        """Insert the job of the present period, unless another beat already has."""
        if advance:
            self.reserve(entry)
        assert entry.task is not None
        periodic = entry.schedule
        assert isinstance(periodic, PeriodicSchedule)
        number = period(time.time(), periodic.seconds)
        inserted = REQUESTS[JobKind(entry.task)](self.units, number)
        periodic.inserted = number
        log.info("%s is due: %s", entry.task, "added" if inserted else "already there")


def period(now: float, seconds: float) -> int:
    """The number of the period that contains a moment."""
    return int(now // seconds)


def beat_service(
    celery: Celery, units: UnitsOfWork, purge_every: float = DAY, study_every: float = WEEK, collections: str = ""
) -> Service:
    """The beat, ready to ``start()``; ``study_every`` are seconds between studies, 0 for none.

    ``collections`` is the setting RAYON_COLLECT_SCHEDULE.
    """
    entries = {"purge": {"task": JobKind.PURGE.value, "schedule": PeriodicSchedule(purge_every)}}
    if study_every:
        entries["study"] = {"task": JobKind.STUDY.value, "schedule": PeriodicSchedule(study_every)}
    celery.conf.beat_schedule = entries
    celery.conf.beat_max_loop_interval = 5
    # Celery makes the scheduler itself, from a class.
    attributes = {"units": staticmethod(units), "collections": CollectionSchedule(units, collections)}
    scheduler = type("BoundScheduler", (OutboxScheduler,), attributes)
    return Service(celery, max_interval=5, scheduler_cls=scheduler)
