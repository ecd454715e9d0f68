"""The relay: sends waiting jobs to the broker and returns lost jobs to the queue. One is active, others stand by."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from infra.store.notify_channels import WAKE_CHANNEL
from pipeline.domain.job import Batch, FlowPolicy, RetryPolicy
from pipeline.ports.unit_of_work import UnitsOfWork
from pipeline.steps.jobs import send, sweep

log = logging.getLogger(__name__)

RELAY_LOCK = 7_206_002
TRY_RELAY_LOCK = text("SELECT pg_try_advisory_lock(:key)")


class Relay:
    """Rounds of sweeping and sending; ``run`` repeats them while this relay is the active one."""

    def __init__(
        self,
        engine: Engine,
        units: UnitsOfWork,
        publish: Callable[[Batch], None],
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
        """Run until ``stop`` is set; reconnects after the database was unreachable."""
        while not stop.is_set():
            try:
                with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                    try:
                        if self._become_active(connection, stop):
                            log.info("this relay is active")
                            self._repeat_rounds(connection, stop)
                    finally:
                        # Not returned to the pool: the session must end, which releases the lock.
                        connection.invalidate()
            except (SQLAlchemyError, OSError):
                log.warning("the database does not answer; trying again", exc_info=True)
                stop.wait(self._interval)
            finally:
                self.active = False

    def sweep(self) -> None:
        """Return jobs whose deadline has passed to ``waiting``."""
        counts = sweep(self._units, self._retry)
        if counts.unclaimed or counts.died:
            log.warning(
                "returned %d jobs that were never claimed and %d whose worker died; %d failed for good",
                counts.unclaimed,
                counts.died - counts.dead,
                counts.dead,
            )

    def send(self) -> int:
        """Publish as many jobs as the queues have room for; returns the number of published jobs."""
        return send(self._units, self._publish, self._flow)

    def _become_active(self, connection: Connection, stop: threading.Event) -> bool:
        """Wait for the lock that only one session can hold; it is released when the session ends, for any reason."""
        while not stop.is_set():
            if connection.scalar(TRY_RELAY_LOCK, {"key": RELAY_LOCK}):
                self.active = True
                connection.exec_driver_sql(f"LISTEN {WAKE_CHANNEL}")
                return True
            stop.wait(self._interval)
        return False

    def _repeat_rounds(self, connection: Connection, stop: threading.Event) -> None:
        session = connection.connection.driver_connection
        assert session is not None
        next_sweep = 0.0
        while not stop.is_set():
            # Before sending: this fails unless the session, and with it the lock, is still alive.
            connection.execute(text("SELECT 1"))
            if time.monotonic() >= next_sweep:
                self.sweep()
                next_sweep = time.monotonic() + self._interval
            session.notifies.clear()
            self.send()
            select.select([session], [], [], self._interval)
            session.poll()
