"""The Celery application: a conveyor over Redis. Results, retries and redelivery are Postgres's business, not its."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery
from kombu import Queue as Exchange

from infra.settings import Settings
from pipeline.domain.claimed_job import Batch
from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import JobKind, Queue

CATEGORISE = "rayon.categorise"
RUN = "rayon.run"


def create_celery(settings: Settings) -> Celery:
    """A Celery application that knows queues and limits; the worker adds the tasks. Connects to nothing."""
    if not settings.broker_url:
        raise InvalidInput("BROKER_URL is not set; name the Redis to use, such as redis://127.0.0.1:6379/0")
    celery = Celery("rayon", broker=settings.broker_url, set_as_current=False)
    sockets = {
        "socket_timeout": 15.0,
        "socket_connect_timeout": 3.0,
        "socket_keepalive": True,
        "health_check_interval": 10,
        # Redelivery is not relied upon; it only must not happen while a message may still be worked on.
        "visibility_timeout": settings.training_time_limit + 600,
    }
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_default_queue=Queue.CATEGORISE.value,
        task_queues=[Exchange(queue.value) for queue in Queue],
        task_create_missing_queues=False,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_max_memory_per_child=settings.worker_memory_limit // 1024,
        task_soft_time_limit=settings.soft_time_limit,
        task_time_limit=settings.hard_time_limit,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options=sockets,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=2,
        enable_utc=True,
    )
    return celery


def serve(celery: Celery, name: str, queue: Queue, pool: str, concurrency: int) -> None:
    """Take messages of one queue until told to stop. Workers do not talk to each other: the record knows them all."""
    celery.Worker(
        hostname=name,
        queues=[queue.value],
        pool=pool,
        concurrency=concurrency,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="INFO",
        optimization="fair",
    ).start()


def publisher(celery: Celery) -> Callable[[Batch], None]:
    """A function that publishes a batch; it raises what the broker's client raises, at once and without retries."""

    def publish(batch: Batch) -> None:
        task = CATEGORISE if batch.kind is JobKind.CATEGORISE else RUN
        celery.send_task(task, args=[list(batch.job_ids)], queue=batch.queue, retry=False, ignore_result=True)

    return publish
