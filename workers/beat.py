"""Beat: Celery's scheduler, but an entry that is due becomes a row of the outbox, unique by job and period.

So any number of beats may run, and the broker may be away: each period gets one run.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import Celery
from celery.beat import ScheduleEntry, Scheduler, Service
from sqlalchemy import Engine

from infra.store.runs import add_periodic
from pipeline.domain.job import JobKind

log = logging.getLogger(__name__)

DAY = 24 * 3600.0


class OutboxScheduler(Scheduler):
    """Keeps its schedule in memory: the unique key, not a file, makes a period happen once."""

    engine: Engine

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **options: Any) -> None:
        """Insert the job of the present period, unless somebody already has."""
        if advance:
            self.reserve(entry)
        assert entry.task is not None
        seconds: float = entry.schedule.seconds  # type: ignore[union-attr]  # every entry of ours is an interval
        key = f"{entry.task}:{period(time.time(), seconds)}"
        with self.engine.begin() as connection:
            inserted = add_periodic(connection, JobKind(entry.task), key)
        log.info("%s is due: %s", entry.task, "added" if inserted else "already there")


def period(now: float, seconds: float) -> int:
    """The number of the period a moment lies in."""
    return int(now // seconds)


def beat_service(celery: Celery, engine: Engine, purge_every: float = DAY) -> Service:
    """The beat of this house, ready to ``start()``; its first look is at once."""
    celery.conf.beat_schedule = {"purge": {"task": JobKind.PURGE.value, "schedule": purge_every}}
    celery.conf.beat_max_loop_interval = 5
    scheduler = type("BoundScheduler", (OutboxScheduler,), {"engine": engine})
    return Service(celery, max_interval=5, scheduler_cls=scheduler)
