"""Requests that wait for a decision, woken by one LISTEN connection per process; none of them holds a thread."""

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

FIRST_DELAY = 0.2
MAX_DELAY = 5.0
log = logging.getLogger(__name__)


class DecisionWaiter:
    """Wakes requests that wait for a revision when Postgres notifies of its decision.

    A waiter is registered before the database is asked once, so that a decision in between is not missed. After a
    lost connection all waiters are woken to ask again, since notifications may have been lost with it.
    """

    def __init__(self, database_url: str, limit: int) -> None:
        self._database_url = database_url
        self._limit = limit
        self._waiters: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._count = 0
        self._connection: connection | None = None
        self._descriptor = -1
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """The number of requests that wait now."""
        return self._count

    @property
    def full(self) -> bool:
        """Whether no more requests may wait."""
        return self._count >= self._limit

    @property
    def listening(self) -> bool:
        """Whether the connection is open."""
        return self._connection is not None

    def start(self) -> None:
        """Begin to listen; call it inside the running loop."""
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Stop listening and wake all waiters."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._drop()
        self._wake_all()

    async def wait(
        self, revision_id: int, seconds: float, ask: Callable[[], Awaitable[DecisionView | None]]
    ) -> DecisionView | None:
        """The final decision of a revision within ``seconds``; else the latest that ``ask`` knows, or None."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        event = asyncio.Event()
        self._waiters[revision_id].add(event)
        self._count += 1
        try:
            while True:
                event.clear()
                decision = await ask()
                left = deadline - loop.time()
                if left <= 0 or (decision is not None and not decision.provisional):
                    return decision
                try:
                    await asyncio.wait_for(event.wait(), left)
                except TimeoutError:
                    return await ask()
        finally:
            self._count -= 1
            self._waiters[revision_id].discard(event)
            if not self._waiters[revision_id]:
                del self._waiters[revision_id]

    async def _listen(self) -> None:
        delay = FIRST_DELAY
        while True:
            try:
                opened = await run_in_threadpool(self._connect)
            except psycopg2.Error as error:
                log.warning("cannot listen for decisions yet: %s", str(error).strip())
                await asyncio.sleep(delay)
                delay = min(2 * delay, MAX_DELAY)
                continue
            delay = FIRST_DELAY
            self._lost.clear()
            self._connection, self._descriptor = opened, opened.fileno()
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)
            self._wake_all()
            await self._lost.wait()

    def _connect(self) -> connection:
        address = make_url(self._database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        opened = psycopg2.connect(
            address,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="rayon-api-waiting",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
        opened.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with opened.cursor() as cursor:
            cursor.execute(f"LISTEN {DECIDED_CHANNEL}")
        return opened

    def _read(self) -> None:
        opened = self._connection
        if opened is None:
            return
        try:
            opened.poll()
        except psycopg2.Error as error:
            log.warning("the connection that hears of decisions was lost: %s", str(error).strip())
            self._drop()
            self._lost.set()
            return
        while opened.notifies:
            payload = opened.notifies.pop(0).payload
            for event in self._waiters.get(int(payload) if payload.isdecimal() else 0, ()):
                event.set()

    def _drop(self) -> None:
        opened, self._connection = self._connection, None
        if opened is not None:
            # psycopg2 forgets the descriptor of a broken connection; the loop still has to remove it.
            asyncio.get_running_loop().remove_reader(self._descriptor)
            opened.close()

    def _wake_all(self) -> None:
        for events in self._waiters.values():
            for event in events:
                event.set()
