"""Wait for jobs: run them in this process, or follow them until workers have finished."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable

import typer
from sqlalchemy import Connection

from infra.store.jobs.queries import LongJobStatus, count_living_workers, read_long_job
from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import FINAL_STATES, Queue
from pipeline.steps.jobs import take_over
from workers.bootstrap import WorkerContext, build
from workers.commands.terminal import print_note, progress_bar

POLL_INTERVAL = 0.3  # seconds
REGISTER_SECONDS = 3.0  # seconds for a worker to register


def start_here(context: WorkerContext, job_id: int, taken: str) -> threading.Thread:
    """Start a waiting job in a thread of this process; InvalidInput with the text ``taken`` when a worker has it."""
    from workers.long_job_handlers import handle_long_job
    from workers.long_job_runner import run_long_job

    if not take_over(context.units, job_id, context.settings.sent_deadline):
        raise InvalidInput(taken)
    # Connections of its own: this thread and the one that follows do not wait for each other.
    own = build(context.settings, application="rayon command")
    name = f"command-{socket.gethostname()}-{os.getpid()}"
    thread = threading.Thread(target=run_long_job, args=(own, name, job_id, handle_long_job), daemon=True)
    thread.start()
    return thread


def follow(context: WorkerContext, job_id: int, worker: threading.Thread | None, name: str) -> LongJobStatus:
    """Show the progress of a job until it has ended, and return its status; ``name`` is its name in a sentence.

    A job that failed in the thread ``worker`` of this process has ended, though a worker would try it again.
    """
    try:
        with context.engine.connect() as connection, progress_bar() as report:
            while True:
                over = worker is not None and not worker.is_alive()
                job = read_long_job(connection, job_id)
                connection.rollback()
                report(job.progress, job.note or "waiting for a worker")
                if over or job.state in FINAL_STATES:
                    return job
                time.sleep(POLL_INTERVAL)
    except KeyboardInterrupt:
        print_note(f"{name} continues where it runs" if worker is None else "stopped; a worker will take it over")
        raise typer.Exit(130) from None


def wait_for_worker(context: WorkerContext, queue: Queue) -> bool:
    """Whether a worker of this queue is alive, or registers within a few seconds."""
    deadline = time.monotonic() + REGISTER_SECONDS
    while True:
        with context.engine.connect() as connection:
            if count_living_workers(connection, queue, context.settings.worker_timeout):
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL)


def wait_until_decided(context: WorkerContext, count: Callable[[Connection], int], total: int) -> int:
    """Wait, with a bar, until ``count`` (listings to decide) is 0; returns how many are left.

    Gives up when no worker has been alive for the time after which a silent worker counts as gone.
    """
    with context.engine.connect() as connection, progress_bar() as report:
        no_worker_since: float | None = None
        while True:
            left = count(connection)
            alive = count_living_workers(connection, Queue.CATEGORISE, context.settings.worker_timeout)
            connection.rollback()
            if not left:
                return 0
            report(1 - left / max(total, left), f"{left} listings to decide")
            if alive:
                no_worker_since = None
            elif no_worker_since is None:
                no_worker_since = time.monotonic()
                print_note(f"no worker is alive: {left} listings wait; start one with 'rayon up' or 'rayon worker'")
            elif time.monotonic() - no_worker_since > context.settings.worker_timeout:
                return left
            time.sleep(POLL_INTERVAL)
