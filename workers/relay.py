"""The relay: from the outbox to the broker, and back what got lost. One is active, others stand by.

It holds no transaction across Redis: jobs are committed as ``sent`` first, and put back when publishing fails.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from infra.store.notifications import WAKE_CHANNEL
from pipeline.domain.claimed_job import Batch
from pipeline.domain.job import FlowPolicy, Queue, RetryPolicy
from pipeline.ports.unit_of_work import UnitsOfWork

log = logging.getLogger(__name__)

RELAY_LOCK = 7_206_002
Publish = Callable[[Batch], None]


class Relay:
    """Rounds of sweeping and sending; ``run`` repeats them while this relay is the active one."""

    def __init__(
        self,
        engine: Engine,
        units: UnitsOfWork,
        publish: Publish,
        retry: RetryPolicy,
        flow: FlowPolicy,
        interval: float = 1.0,
    ) -> None:
        self._engine = engine
        self._units = units
        self._publish = publish
        self._retry = retry
        self._flow = flow
        self._interval = interval
        self.active = False

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; a database that goes away is waited for."""
        while not stop.is_set():
            try:
                with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                    try:
                        if self._become_active(connection, stop):
                            log.info("this relay is active")
                            self._rounds(connection, stop)
                    finally:
                        # Not back to the pool: the session must end, and with it the lock.
                        connection.invalidate()
            except (SQLAlchemyError, OSError):
                log.warning("the database is away; trying again", exc_info=True)
                stop.wait(self._interval)
            finally:
                self.active = False

    def sweep(self) -> None:
        """Bring back what its deadline has passed."""
        with self._units() as unit:
            swept = unit.outbox.sweep(self._retry)
            unit.commit()
        if swept.unclaimed or swept.died:
            log.warning(
                "brought back %d jobs nobody claimed and %d whose worker died; gave up %d",
                swept.unclaimed,
                swept.died - swept.dead,
                swept.dead,
            )

    def send(self) -> int:
        """Send what the queues have room for; returns how many jobs were published."""
        published = 0
        for queue in Queue:
            with self._units() as unit:
                batches = unit.outbox.take(queue, self._flow)
                unit.commit()
            for position, batch in enumerate(batches):
                try:
                    self._publish(batch)
                except Exception:
                    # Whatever the broker's client raises: the jobs are safe in Postgres and wait again.
                    log.warning("publishing failed; the jobs wait again", exc_info=True)
                    self._put_back(batches[position:])
                    return published
                published += len(batch.job_ids)
        return published

    def _put_back(self, batches: list[Batch]) -> None:
        with self._units() as unit:
            unit.outbox.put_back([job_id for batch in batches for job_id in batch.job_ids])
            unit.commit()

    def _become_active(self, connection: Connection, stop: threading.Event) -> bool:
        """Wait for the lock that only one session can hold; it goes with the session, however that ends."""
        while not stop.is_set():
            if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": RELAY_LOCK}):
                self.active = True
                connection.exec_driver_sql(f"LISTEN {WAKE_CHANNEL}")
                return True
            stop.wait(self._interval)
        return False

    def _rounds(self, connection: Connection, stop: threading.Event) -> None:
        session = connection.connection.driver_connection
        assert session is not None
        next_sweep = 0.0
        while not stop.is_set():
            # Proves that the session, and with it the lock, is still ours, before anything is sent.
            connection.execute(text("SELECT 1"))
            if time.monotonic() >= next_sweep:
                self.sweep()
                next_sweep = time.monotonic() + self._interval
            session.notifies.clear()
            self.send()
            select.select([session], [], [], self._interval)
            session.poll()
