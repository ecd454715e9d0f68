"""The Celery application, which only transports messages over Redis: the outbox in Postgres handles retries.

A worker announces itself every two seconds, so that the relay knows how many jobs to send.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psutil
from celery import Celery, signals
from kombu import Queue as BrokerQueue
from sqlalchemy.exc import SQLAlchemyError

from infra.settings import Settings
from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import AnnouncedWorker, Batch, JobKind, Queue
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.jobs import announce_worker, remove_worker

log = logging.getLogger(__name__)

CATEGORISE_TASK = "rayon.categorise"
LONG_JOB_TASK = "rayon.run"
ANNOUNCE_INTERVAL = 2.0


def create_celery(settings: Settings) -> Celery:
    """A Celery application with the queues and limits; workers register the tasks. Opens no connection."""
    if not settings.broker_url:
        raise InvalidInput("BROKER_URL is not set; name the Redis to use, such as redis://127.0.0.1:6379/0")
    celery = Celery("rayon", broker=settings.broker_url, set_as_current=False)
    transport = {
        "socket_timeout": 15.0,
        "socket_connect_timeout": 3.0,
        "socket_keepalive": True,
        "health_check_interval": 10,
        # Nothing relies on redelivery; it just must not happen while a message may still be in work.
        "visibility_timeout": settings.training_time_limit + 600,
    }
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_default_queue=Queue.CATEGORISE.value,
        task_queues=[BrokerQueue(queue.value) for queue in Queue],
        task_create_missing_queues=False,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_max_memory_per_child=settings.worker_memory_limit // 1024,
        task_soft_time_limit=settings.soft_time_limit,
        task_time_limit=settings.hard_time_limit,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options=transport,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=2,
        enable_utc=True,
    )
    return celery


def publisher(celery: Celery) -> Callable[[Batch], None]:
    """A function that publishes a batch; it raises the errors of the broker's client immediately, without retries."""

    def publish(batch: Batch) -> None:
        task = CATEGORISE_TASK if batch.kind is JobKind.CATEGORISE else LONG_JOB_TASK
        celery.send_task(task, args=[list(batch.job_ids)], queue=batch.queue, retry=False, ignore_result=True)

    return publish


def run_celery_worker(celery: Celery, units: UnitsOfWork, worker: AnnouncedWorker, pool: str) -> None:
    """Consume messages of the worker's queue until told to stop, and announce the worker periodically.

    Celery's gossip between workers is off. ``units`` must not hold connections, which a forked child would share.
    """

    def announce() -> None:
        try:
            announce_worker(units, replace(worker, memory=_unique_memory()))
        except SQLAlchemyError:
            log.warning("could not announce this worker", exc_info=True)

    def on_ready(sender: Any, **_: Any) -> None:
        announce()
        sender.timer.call_repeatedly(ANNOUNCE_INTERVAL, announce)

    def on_shutdown(**_: Any) -> None:
        try:
            remove_worker(units, worker.name)
        except SQLAlchemyError:
            log.warning("could not remove this worker from the table of workers", exc_info=True)

    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutdown.connect(on_shutdown, weak=False)
    celery.Worker(
        hostname=worker.name,
        queues=[worker.queue.value],
        pool=pool,
        concurrency=worker.slots,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="INFO",
        optimization="fair",
    ).start()


def _unique_memory() -> int:
    """The unique set sizes of this worker and its children in bytes, summed; shared pages are not counted."""
    parent = psutil.Process()
    total = 0
    for process in (parent, *parent.children(recursive=True)):
        try:
            total += process.memory_full_info().uss
        except psutil.Error:
            continue
    return total
