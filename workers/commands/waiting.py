"""Waiting for workers: until nothing is open any more, or until it is plain that nobody works."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection

from infra.store.queries.backlog import living_workers
from pipeline.domain.job import Queue
from workers.bootstrap import House
from workers.commands.terminal import bar, remark

EVERY = 0.3
GRACE = 3.0  # seconds for a worker to show up


def wait_for_worker(house: House, queue: Queue) -> bool:
    """Whether a worker of this queue is alive, or shows up within a few seconds."""
    deadline = time.monotonic() + GRACE
    while True:
        with house.engine.connect() as connection:
            if living_workers(connection, queue, house.settings.worker_timeout):
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(EVERY)


def wait_until_decided(house: House, count: Callable[[Connection], int], total: int) -> int:
    """Wait, with a bar, until ``count`` (listings still open) is 0; returns how many are left when nobody works.

    Gives up when no worker has been alive for the time after which a silent one counts as gone.
    """
    with house.engine.connect() as connection, bar() as report:
        alone_since: float | None = None
        while True:
            left = count(connection)
            alive = living_workers(connection, Queue.CATEGORISE, house.settings.worker_timeout)
            connection.rollback()
            if not left:
                return 0
            report(1 - left / max(total, left), f"{left} listings to decide")
            if alive:
                alone_since = None
            elif alone_since is None:
                alone_since = time.monotonic()
                remark(f"no worker is alive: {left} listings wait; start one with 'rayon up' or 'rayon worker'")
            elif time.monotonic() - alone_since > house.settings.worker_timeout:
                return left
            time.sleep(EVERY)
