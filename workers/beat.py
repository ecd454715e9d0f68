"""Beat: Celery's scheduler, but an entry that is due becomes a row of the outbox, unique by job and period.

So any number of beats may run, and the broker may be away: each period gets one run.
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

from infra.store.runs import add_periodic
from pipeline.domain.job import JobKind
from pipeline.domain.study import PLAN

log = logging.getLogger(__name__)

DAY = 24 * 3600.0
WEEK = 7 * DAY
QUIET = 3600.0
AGAIN = 5.0


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


class OutboxScheduler(Scheduler):
    """Keeps its schedule in memory: the unique key, not a file, makes a period happen once."""

    engine: Engine

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


def beat_service(celery: Celery, engine: Engine, purge_every: float = DAY, study_every: float = WEEK) -> Service:
    """The beat of this house, ready to ``start()``; seconds between studies, 0 for none."""
    entries = {"purge": {"task": JobKind.PURGE.value, "schedule": OncePerPeriod(purge_every)}}
    if study_every:
        due = {"task": JobKind.STUDY.value, "schedule": OncePerPeriod(study_every), "kwargs": {"stage": PLAN}}
        entries["study"] = due
    celery.conf.beat_schedule = entries
    celery.conf.beat_max_loop_interval = 5
    scheduler = type("BoundScheduler", (OutboxScheduler,), {"engine": engine})
    return Service(celery, max_interval=5, scheduler_cls=scheduler)
