"""Commands that run a process of a deployment: relay, worker or beat."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Annotated

import typer

from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import Queue
from pipeline.networks.precision import usable_cores
from workers.bootstrap import settings_of
from workers.garbage_collection import gc_paused

ROLES = ("serve", "train", "tensorflow", "collect")
QUEUES = {"train": Queue.TRAINING, "collect": Queue.COLLECTING}
MAX_DEFAULT_SLOTS = 8  # --slots and RAYON_WORKER_SLOTS may exceed it


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(relay)
    app.command()(worker)
    app.command()(beat)


def relay() -> None:
    """Send waiting jobs to the broker and return lost ones; several may run, one is active."""
    from workers.bootstrap import build
    from workers.celery_app import create_celery, publisher
    from workers.relay import Relay

    start_logging()
    settings = settings_of(os.environ)
    context = build(settings, application="rayon relay")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Relay(
        context.engine,
        context.units,
        publisher(create_celery(settings)),
        settings.retry_policy(),
        settings.flow_policy(),
        settings.relay_interval,
    ).run(stop)


def worker(
    role: Annotated[
        str, typer.Option(help="serve (categorises, without tensorflow), train, collect, or tensorflow")
    ] = "serve",
    queue: Annotated[
        str, typer.Option(help="interactive, categorise, training or collecting; by default that of the role")
    ] = "",
    slots: Annotated[
        int,
        typer.Option(
            min=0, help="child processes; 0: one, or RAYON_WORKER_SLOTS on the queue categorise, or 4 to collect"
        ),
    ] = 0,
) -> None:
    """Run a worker on one queue until it is stopped."""
    if role not in ROLES:
        raise InvalidInput(f"there is no role '{role}'; choose one of {', '.join(ROLES)}")
    name = queue or QUEUES.get(role, Queue.CATEGORISE)
    if name not in set(Queue):
        raise InvalidInput(f"there is no queue '{queue}'; choose one of {', '.join(Queue)}")
    if (role == "collect") != (name == Queue.COLLECTING):
        raise InvalidInput("the role collect works on the queue collecting, and no other role does; leave --queue out")
    start_logging()
    settings = settings_of(os.environ)
    if role == "collect":
        with gc_paused():
            from workers.collector import SLOTS, run_collector

        run_collector(settings, role, slots or SLOTS)
        return
    with gc_paused():
        from workers.worker import run_worker

    run_worker(settings, role, Queue(name), slots or _default_slots(Queue(name), settings.worker_slots))


def _default_slots(queue: Queue, setting: int) -> int:
    """The default number of processes: one per core is fastest for photos (docs/serving.md); other queues need one."""
    if queue is not Queue.CATEGORISE:
        return 1
    return setting or min(usable_cores(), MAX_DEFAULT_SLOTS)


def beat() -> None:
    """Add the periodic jobs and start the collections that are due, and fetch missing weights; several may run."""
    from workers.background_weights_fetch import start_fetching
    from workers.beat import beat_service
    from workers.bootstrap import build
    from workers.celery_app import create_celery

    start_logging()
    settings = settings_of(os.environ)
    context = build(settings, application="rayon beat")
    start_fetching(context)
    beat_service(
        create_celery(settings), context.units, study_every=settings.study_every, collections=settings.collect_schedule
    ).start()


def start_logging() -> None:
    """Log with time and level to standard error, where supervisors and containers collect it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
