"""Requests that wait for a decision: woken by one LISTEN connection per process, without holding a thread."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, connection
from sqlalchemy import make_url
from starlette.concurrency import run_in_threadpool

from infra.store.database import CONNECT_TIMEOUT_SECONDS
from infra.store.listings.queries import DecisionView
from infra.store.notify_channels import DECIDED_CHANNEL

MIN_RECONNECT_SECONDS = 0.2
MAX_RECONNECT_SECONDS = 5.0
log = logging.getLogger(__name__)


class DecisionWaiter:
    """Wakes the requests that wait for a revision when Postgres notifies that it was decided.

    A waiter is registered before the database is first queried, so that a decision in between is not missed. Whenever
    the connection is established, all waiters query again, since notifications may have been lost.
    """

    def __init__(self, database_url: str, limit: int) -> None:
        self._database_url = database_url
        self._limit = limit
        self._waiters: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._n_waiting = 0
        self._connection: connection | None = None
        self._descriptor = -1
        self._connection_lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """The number of requests that are waiting."""
        return self._n_waiting

    @property
    def full(self) -> bool:
        """Whether no more requests may wait."""
        return self._n_waiting >= self._limit

    @property
    def listening(self) -> bool:
        """Whether the connection is open."""
        return self._connection is not None

    def start(self) -> None:
        """Start listening; call it from within the running event loop."""
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Stop listening and wake all waiters."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._drop()
        self._wake_all()

    async def wait(
        self, revision_id: int, seconds: float, fetch_decision: Callable[[], Awaitable[DecisionView | None]]
    ) -> DecisionView | None:
        """Wait at most ``seconds`` for a revision's final decision; returns its latest decision, or None."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        event = asyncio.Event()
        self._waiters[revision_id].add(event)
        self._n_waiting += 1
        try:
            while True:
                event.clear()
                decision = await fetch_decision()
                remaining_seconds = deadline - loop.time()
                if remaining_seconds <= 0 or (decision is not None and not decision.provisional):
                    return decision
                try:
                    await asyncio.wait_for(event.wait(), remaining_seconds)
                except TimeoutError:
                    return await fetch_decision()
        finally:
            self._n_waiting -= 1
            self._waiters[revision_id].discard(event)
            if not self._waiters[revision_id]:
                del self._waiters[revision_id]

    async def _listen(self) -> None:
        reconnect_seconds = MIN_RECONNECT_SECONDS
        while True:
            try:
                listen_connection = await run_in_threadpool(self._connect)
            except psycopg2.Error as error:
                log.warning("cannot listen for decisions yet: %s", str(error).strip())
                await asyncio.sleep(reconnect_seconds)
                reconnect_seconds = min(2 * reconnect_seconds, MAX_RECONNECT_SECONDS)
                continue
            reconnect_seconds = MIN_RECONNECT_SECONDS
            self._connection_lost.clear()
            self._connection, self._descriptor = listen_connection, listen_connection.fileno()
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)
            self._wake_all()
            await self._connection_lost.wait()

    def _connect(self) -> connection:
        dsn = make_url(self._database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        listen_connection = psycopg2.connect(
            dsn,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="rayon-api-waiting",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
        listen_connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with listen_connection.cursor() as cursor:
            cursor.execute(f"LISTEN {DECIDED_CHANNEL}")
        return listen_connection

    def _read(self) -> None:
        listen_connection = self._connection
        if listen_connection is None:
            return
        try:
            listen_connection.poll()
        except psycopg2.Error as error:
            log.warning("lost the connection that listens for decisions: %s", str(error).strip())
            self._drop()
            self._connection_lost.set()
            return
        while listen_connection.notifies:
            payload = listen_connection.notifies.pop(0).payload
            for event in self._waiters.get(int(payload) if payload.isdecimal() else 0, ()):
                event.set()

    def _drop(self) -> None:
        listen_connection, self._connection = self._connection, None
        if listen_connection is not None:
            # psycopg2 forgets the descriptor of a broken connection; the loop still has to remove it.
            asyncio.get_running_loop().remove_reader(self._descriptor)
            listen_connection.close()

    def _wake_all(self) -> None:
        for events in self._waiters.values():
            for event in events:
                event.set()
