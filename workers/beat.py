"""Beat: Celery's scheduler, but an entry that is due becomes a row of the outbox, unique by job and period.

So any number of beats may run, and the broker may be away: each period gets one run. Standing collections are rows of
the record, which it looks at every second: what is changed there holds at once.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any

from celery import Celery
from celery.beat import ScheduleEntry, Scheduler, Service
from celery.schedules import schedstate, schedule
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from infra.schedules import read_collect_schedule
from infra.store.collections.repository import add_collection, begin_due, source_of_products
from infra.store.jobs.long_jobs import add_periodic
from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import JobKind
from pipeline.domain.product_databases import find_database
from pipeline.domain.study import PLAN

log = logging.getLogger(__name__)

DAY = 24 * 3600.0
WEEK = 7 * DAY
QUIET = 3600.0
AGAIN = 5.0
LOOK_EVERY = 1.0


class OncePerPeriod(schedule):
    """Due once in each period by the clock, whenever this beat was started; the periods count from 1970.

    The first look is a tenth of a period after the start, at most an hour, so that a start is quiet. What could not
    be inserted is due again a few seconds later.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(run_every=seconds)
        self._first = time.time() + min(QUIET, seconds / 10)
        self.inserted: int | None = None

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Whether this beat has not yet inserted the job of the present period, and when to look again (seconds)."""
        now = time.time()
        if now < self._first:
            return schedstate(is_due=False, next=self._first - now)
        if self.inserted != period(now, self.seconds):
            return schedstate(is_due=True, next=min(AGAIN, self.seconds))
        return schedstate(is_due=False, next=self.seconds - now % self.seconds)


class Standing:
    """The standing collections; ``wanted`` are those that the setting RAYON_COLLECT_SCHEDULE tells."""

    def __init__(self, engine: Engine, wanted: str = "") -> None:
        self._engine = engine
        self._wanted = wanted
        self._away = False

    def look(self) -> None:
        """Begin the runs that are due; the first time keep what is wanted. A database that is away is waited for."""
        try:
            if self._wanted:
                self._keep()
                self._wanted = ""
            begin_due(self._engine)
            self._away = False
        except SQLAlchemyError:
            if not self._away:
                log.warning("the database is away; collections are looked at again when it is back", exc_info=True)
            self._away = True

    def _keep(self) -> None:
        try:
            standing = read_collect_schedule(self._wanted)
            for asked in standing:
                find_database(asked.database, "")
            for asked in standing:
                with self._engine.begin() as connection:
                    source = source_of_products(connection, asked.database, asked.source, asked.taxonomy)
                    add_collection(connection, source.id, asked.database, asked.query, asked.schedule)
        except InvalidInput as error:
            # Everything else that is due must not wait for this to be mended.
            log.error("RAYON_COLLECT_SCHEDULE cannot be used: %s", error)


class OutboxScheduler(Scheduler):
    """Keeps its schedule in memory: the unique key, not a file, makes a period happen once."""

    engine: Engine
    standing: Standing

    def tick(self, *given: Any, **named: Any) -> float:
        """Do what is due; returns the seconds until the next look."""
        self.standing.look()
        return min(float(super().tick(*given, **named)), LOOK_EVERY)

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **options: Any) -> None:
        """Insert the job of the present period, unless somebody already has."""
        if advance:
            self.reserve(entry)
        assert entry.task is not None
        when = entry.schedule
        assert isinstance(when, OncePerPeriod)
        number = period(time.time(), when.seconds)
        payload = {"period": number, **(entry.kwargs or {})}
        with self.engine.begin() as connection:
            inserted = add_periodic(connection, JobKind(entry.task), f"{entry.task}:{number}", payload)
        when.inserted = number
        log.info("%s is due: %s", entry.task, "added" if inserted else "already there")


def period(now: float, seconds: float) -> int:
    """The number of the period a moment lies in."""
    return int(now // seconds)


def beat_service(
    celery: Celery, engine: Engine, purge_every: float = DAY, study_every: float = WEEK, collections: str = ""
) -> Service:
    """The beat of this house, ready to ``start()``; seconds between studies, 0 for none.

    ``collections`` are standing ones to keep, as ``read_standing`` reads them.
    """
    entries = {"purge": {"task": JobKind.PURGE.value, "schedule": OncePerPeriod(purge_every)}}
    if study_every:
        due = {"task": JobKind.STUDY.value, "schedule": OncePerPeriod(study_every), "kwargs": {"stage": PLAN}}
        entries["study"] = due
    celery.conf.beat_schedule = entries
    celery.conf.beat_max_loop_interval = 5
    bound = {"engine": engine, "standing": Standing(engine, collections)}
    scheduler = type("BoundScheduler", (OutboxScheduler,), bound)
    return Service(celery, max_interval=5, scheduler_cls=scheduler)
