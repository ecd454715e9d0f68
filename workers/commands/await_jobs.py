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
REGISTER_TIMEOUT = 3.0  # seconds to wait for a worker to register


def start_here(context: WorkerContext, job_id: int, taken_message: str) -> threading.Thread:
    """Run a waiting job in a thread of this process; InvalidInput with ``taken_message`` if a worker already has it."""
    from workers.long_job_handlers import handle_long_job
    from workers.long_job_runner import run_long_job

    if not take_over(context.units, job_id, context.settings.sent_deadline):
        raise InvalidInput(taken_message)
    # Separate connections, so that the job and the thread that follows it do not wait for each other.
    thread_context = build(context.settings, application="rayon command")
    name = f"command-{socket.gethostname()}-{os.getpid()}"
    thread = threading.Thread(target=run_long_job, args=(thread_context, name, job_id, handle_long_job), daemon=True)
    thread.start()
    return thread


def follow(context: WorkerContext, job_id: int, worker: threading.Thread | None, name: str) -> LongJobStatus:
    """Show the progress of a job until it has ended, and return its status; ``name`` is its name in messages.

    If the thread ``worker`` of this process ran the job, the job ends with it, even if a worker will retry it.
    """
    try:
        with context.engine.connect() as connection, progress_bar() as progress:
            while True:
                thread_ended = worker is not None and not worker.is_alive()
                job = read_long_job(connection, job_id)
                connection.rollback()
                progress(job.progress, job.note or "waiting for a worker")
                if thread_ended or job.state in FINAL_STATES:
                    return job
                time.sleep(POLL_INTERVAL)
    except KeyboardInterrupt:
        print_note(f"{name} continues where it runs" if worker is None else "stopped; a worker will take it over")
        raise typer.Exit(130) from None


def wait_for_worker(context: WorkerContext, queue: Queue) -> bool:
    """Return whether a worker of this queue is alive, or registers within a few seconds."""
    deadline = time.monotonic() + REGISTER_TIMEOUT
    while True:
        with context.engine.connect() as connection:
            if count_living_workers(connection, queue, context.settings.worker_timeout):
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL)


def wait_until_decided(context: WorkerContext, count_open: Callable[[Connection], int], total: int) -> int:
    """Wait, with a progress bar, until ``count_open`` (undecided listings) returns 0; returns the number remaining.

    Gives up when no worker has been alive for the time after which a silent worker counts as dead.
    """
    with context.engine.connect() as connection, progress_bar() as progress:
        no_worker_since: float | None = None
        while True:
            remaining = count_open(connection)
            alive = count_living_workers(connection, Queue.CATEGORISE, context.settings.worker_timeout)
            connection.rollback()
            if not remaining:
                return 0
            progress(1 - remaining / max(total, remaining), f"{remaining} listings to decide")
            if alive:
                no_worker_since = None
            elif no_worker_since is None:
                no_worker_since = time.monotonic()
                print_note(
                    f"no worker is alive: {remaining} listings wait; start one with 'rayon up' or 'rayon worker'"
                )
            elif time.monotonic() - no_worker_since > context.settings.worker_timeout:
                return remaining
            time.sleep(POLL_INTERVAL)
