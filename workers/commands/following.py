"""Long jobs that a command asked for: done in its own process, or followed until they have ended."""

from __future__ import annotations

import os
import socket
import threading
import time

import typer

from infra.store.runs import Run, hand_out, read_run
from pipeline.domain.errors import InvalidInput
from pipeline.domain.job import JobState
from workers.bootstrap import House, build
from workers.commands.terminal import bar, remark
from workers.commands.waiting import EVERY


def start_here(house: House, job_id: int, taken: str) -> threading.Thread:
    """Do a waiting job in a thread of this process; InvalidInput that says ``taken`` where a worker has it."""
    from workers.running import do_run
    from workers.runs import do

    with house.engine.begin() as connection:
        if not hand_out(connection, job_id, house.settings.sent_deadline):
            raise InvalidInput(taken)
    # Connections of its own: this thread and the one that follows do not wait for each other.
    own = build(house.settings, application="rayon command")
    name = f"command-{socket.gethostname()}-{os.getpid()}"
    thread = threading.Thread(target=do_run, args=(own, name, job_id, do), daemon=True)
    thread.start()
    return thread


def follow(house: House, job_id: int, worker: threading.Thread | None, what: str) -> Run:
    """Follow a job until it has ended; one that failed in ``worker``, and would be tried again, counts as ended.

    ``what`` is its name in a sentence.
    """
    try:
        with house.engine.connect() as connection, bar() as report:
            while True:
                over = worker is not None and not worker.is_alive()
                run = read_run(connection, job_id)
                connection.rollback()
                report(run.progress, run.note or "waiting for a worker")
                if over or run.state in (JobState.DONE, JobState.SUPERSEDED, JobState.DEAD):
                    return run
                time.sleep(EVERY)
    except KeyboardInterrupt:
        remark(f"{what} goes on where it runs" if worker is None else "stopped; a worker will take it over")
        raise typer.Exit(130) from None
