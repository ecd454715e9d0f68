"""Celery tasks: thin. They claim, keep the lease alive, call a step, and leave everything else to the record."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Protocol

from celery import Celery

from infra.store.jobs.workers import report_speed
from pipeline.steps.categorise import CategoriseContext, categorise
from workers.bootstrap import WorkerContext
from workers.celery_app import CATEGORISE, RUN
from workers.lease_heartbeat import heartbeat
from workers.long_jobs import RunBody, do_run

log = logging.getLogger(__name__)


class Child(Protocol):
    """What one worker process holds once it has been forked."""

    context: WorkerContext
    desk: CategoriseContext
    name: str


def register(celery: Celery, child: Child, runs: RunBody | None) -> None:
    """Give the application its tasks; ``child`` is filled after the fork. ``runs`` only where runs are taken."""

    @celery.task(name=CATEGORISE)
    def categorise_task(job_ids: Sequence[int]) -> None:
        work_on(child, job_ids)

    if runs is not None:
        limit = child_limit(celery)

        @celery.task(name=RUN, soft_time_limit=limit, time_limit=limit + 60)
        def run_task(job_ids: Sequence[int]) -> None:
            for job_id in job_ids:
                do_run(child.context, child.desk.worker, job_id, runs)


def child_limit(celery: Celery) -> int:
    """Seconds a run may take."""
    return int(celery.conf.broker_transport_options["visibility_timeout"]) - 600


def work_on(child: Child, job_ids: Sequence[int]) -> None:
    """Claim what is still ours to claim, categorise it, and tell how fast that was."""
    settings, desk = child.context.settings, child.desk
    with desk.units() as unit:
        claimed = unit.claims.claim(job_ids, desk.worker, desk.lease)
        unit.commit()
    if not claimed:
        return
    claims = [(job.job_id, job.attempt) for job in claimed]
    started = time.perf_counter()
    with heartbeat(desk.units, claims, desk.lease, settings.hard_time_limit):
        written = categorise(desk, claimed)
    spent = time.perf_counter() - started
    if written < len(claimed):
        log.info("%d of %d findings came too late and were dropped", len(claimed) - written, len(claimed))
    if any(job.model for job in claimed):
        with child.context.engine.begin() as connection:
            report_speed(connection, child.name, spent / len(claimed))
