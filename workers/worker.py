"""A worker: one Celery worker on one queue; its child processes load models and libraries after the fork."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass

import cv2
from celery import signals
from threadpoolctl import threadpool_limits

from infra.settings import Settings
from pipeline.domain.job import Queue
from pipeline.networks.precision import usable_cores
from pipeline.steps.categorise import CategoriseContext
from workers.bootstrap import WorkerContext, build
from workers.celery_app import create_celery, serve
from workers.model_cache import ModelCache
from workers.tasks import register
from workers.worker_registry import announce_while_alive


@dataclass(slots=True)
class WorkerProcess:
    """What one child holds; filled after the fork, because connections and networks do not survive one."""

    settings: Settings
    name: str
    threads: int | None = None
    keras: bool = False
    slots: int = 1
    context: WorkerContext = None  # type: ignore[assignment]  # set by open(), before any task runs
    desk: CategoriseContext = None  # type: ignore[assignment]

    def open(self) -> None:
        """Put the house together in this process."""
        if self.threads is not None:
            # Small products gain nothing from more threads, and threads that wait by spinning starve other workers.
            threadpool_limits(self.threads)
            cv2.setNumThreads(self.threads)
        self.context = build(self.settings, application=f"rayon {self.name}")
        self.desk = CategoriseContext(
            units=self.context.units,
            photos=self.context.photos,
            models=ModelCache(self.context.registry, self.keras, max(1, usable_cores() // self.slots)),
            retry=self.settings.retry_policy(),
            worker=f"{self.name}/{os.getpid()}",
            lease=self.settings.lease,
        )


def run_worker(settings: Settings, role: str, queue: Queue, slots: int) -> None:
    """Run a worker until it is told to stop (SIGTERM finishes the batch in hand)."""
    name = f"{role}-{queue}@{socket.gethostname()}-{uuid.uuid4().hex[:6]}"
    celery = create_celery(settings)
    child = WorkerProcess(
        settings, name, threads=1 if role == "serve" else None, keras=role == "tensorflow", slots=slots
    )
    body = None
    if role != "serve":
        from workers.long_job_handlers import do

        body = do
    register(celery, child, body)
    signals.worker_process_init.connect(lambda **_: child.open(), weak=False)
    announce_while_alive(settings, name, role, queue, slots)
    serve(celery, name, queue, "prefork", slots)
