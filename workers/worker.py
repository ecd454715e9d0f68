"""A worker: one Celery worker on one queue, whose child processes load models and libraries after the fork.

Its tasks only claim jobs, renew their leases, and call a use case.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
from celery import Celery, signals
from threadpoolctl import threadpool_limits

from infra.settings import Settings
from pipeline.domain.job import AnnouncedWorker, Queue
from pipeline.networks.precision import usable_cores
from pipeline.steps.categorise import CategoriseContext, categorise, claim
from pipeline.steps.jobs import report_speed
from workers.bootstrap import WorkerContext, build, build_name_encoder, unpooled_units
from workers.celery_app import CATEGORISE_TASK, LONG_JOB_TASK, create_celery, run_celery_worker
from workers.long_job_runner import LongJobHandler, heartbeat, run_long_job
from workers.model_cache import ModelCache
from workers.suggestion_cache import SuggestionCache

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerChild:
    """The resources of a child process, opened after the fork, which connections and networks do not survive."""

    name: str
    context: WorkerContext
    categorise_context: CategoriseContext


def open_child(
    settings: Settings, name: str, *, threads: int | None = None, use_keras: bool = False, slots: int = 1
) -> WorkerChild:
    """Open the resources of a child process; ``slots`` is the number of child processes that share the cores.

    ``threads`` limits the threads of linear algebra; ``use_keras`` runs networks in Keras instead of OpenVINO.
    """
    if threads is not None:
        # Small matrix products gain nothing from more threads, and spinning threads starve other workers.
        threadpool_limits(threads)
        cv2.setNumThreads(threads)
    context = build(settings, application=f"rayon {name}")
    categorise_context = CategoriseContext(
        units=context.units,
        photos=context.photos,
        models=ModelCache(context.registry, use_keras=use_keras, threads=max(1, usable_cores() // slots)),
        retry=settings.retry_policy(),
        worker=f"{name}/{os.getpid()}",
        lease=settings.lease,
        suggestions=SuggestionCache(context.engine, build_name_encoder),
    )
    return WorkerChild(name, context, categorise_context)


def run_worker(settings: Settings, role: str, queue: Queue, slots: int) -> None:
    """Run a worker until it is told to stop; on SIGTERM it finishes its batch."""
    name = f"{role}-{queue}@{socket.gethostname()}-{uuid.uuid4().hex[:6]}"
    celery = create_celery(settings)
    children: list[WorkerChild] = []  # after the fork, each process has exactly one: its own
    handler = None
    if role != "serve":
        from workers.long_job_handlers import handle_long_job

        handler = handle_long_job

    def on_fork(**_: object) -> None:
        threads = 1 if role == "serve" else None
        children.append(open_child(settings, name, threads=threads, use_keras=role == "tensorflow", slots=slots))

    signals.worker_process_init.connect(on_fork, weak=False)
    register_tasks(celery, lambda: children[-1], handler)
    units = unpooled_units(settings, application=f"rayon {name}")
    run_celery_worker(celery, units, AnnouncedWorker(name, role, queue, slots), "prefork")


def register_tasks(celery: Celery, current_child: Callable[[], WorkerChild], handler: LongJobHandler | None) -> None:
    """Register the tasks; ``current_child`` is called after the fork. Without a ``handler``, no long jobs are run."""

    @celery.task(name=CATEGORISE_TASK)
    def categorise_task(job_ids: Sequence[int]) -> None:
        categorise_jobs(current_child(), job_ids)

    if handler is not None:
        limit = long_job_time_limit(celery)

        @celery.task(name=LONG_JOB_TASK, soft_time_limit=limit, time_limit=limit + 60)
        def long_job_task(job_ids: Sequence[int]) -> None:
            child = current_child()
            for job_id in job_ids:
                run_long_job(child.context, child.categorise_context.worker, job_id, handler)


def long_job_time_limit(celery: Celery) -> int:
    """The time limit of a long job, in seconds."""
    return int(celery.conf.broker_transport_options["visibility_timeout"]) - 600


def categorise_jobs(child: WorkerChild, job_ids: Sequence[int]) -> None:
    """Claim and categorise the jobs that are still in the state ``sent``, and report the speed."""
    context = child.categorise_context
    claimed = claim(context, job_ids)
    if not claimed:
        return
    started = time.perf_counter()
    hard_limit = child.context.settings.hard_time_limit
    with heartbeat(context.units, [job.claim for job in claimed], context.lease, hard_limit):
        written = categorise(context, claimed)
    seconds = time.perf_counter() - started
    if written < len(claimed):
        log.info("dropped %d of %d results: their leases had expired", len(claimed) - written, len(claimed))
    if any(job.model for job in claimed):
        report_speed(context.units, child.name, seconds / len(claimed))
