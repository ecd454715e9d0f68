"""Rate limits and health of hosts, shared by all processes on one database and timed by Postgres's clock.

A host counts requests when they arrive, which cannot be observed from here. But a request arrives after its permit was
issued and before its response is received. So a slot is held for the longest time that a request can take; once the
response is received, it becomes free one ``window`` later. Two arrivals on one slot are then at least a window apart,
however late each was: with ``requests`` slots, no period of a window's length ever sees more arrivals than that. A
process that dies frees nothing early.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, Connection, Engine, Integer, Row, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from infra.store.base import Base, TextStr, Timestamp


class HostSlotRow(Base):
    """One of the requests of a ``kind`` that a host allows within a time window; free from ``free_at`` on."""

    __tablename__ = "host_slots"

    host: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    free_at: Mapped[Timestamp]


class HostHealthRow(Base):
    """The recent health of a host: its consecutive failures, and the end of its pause, if it is paused."""

    __tablename__ = "host_health"
    __table_args__ = (CheckConstraint("failures >= 0", name="failures"),)

    host: Mapped[str] = mapped_column(Text, primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    left_alone_until: Mapped[Timestamp | None]
    reason: Mapped[TextStr | None]


MAX_QUEUE_DELAY = 86_400.0  # seconds; a request that would be due later is due then, and queues again
MAX_CONNECTIONS = 2  # per process: many threads fetch photos, but each needs a connection only briefly
PROBE_RETRY = 0.1  # seconds after which to ask for the result of another process's probe
NOW = "COALESCE(to_timestamp(CAST(:now AS float8)), clock_timestamp())"

INSERT_SLOTS = text(
    """
    INSERT INTO host_slots (host, kind, number, free_at)
    SELECT :host, :kind, number, to_timestamp(0) FROM generate_series(1, CAST(:requests AS int)) AS number
    ON CONFLICT DO NOTHING
    """
)
# Materialised: a subquery might be evaluated for every row, and then take several slots.
TAKE_FREE_SLOT = text(
    f"""
    WITH free AS MATERIALIZED (
        SELECT number FROM host_slots
        WHERE host = :host AND kind = :kind AND number <= :requests AND free_at <= {NOW}
        ORDER BY free_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE host_slots AS slot SET free_at = {NOW} + make_interval(secs => :hold) FROM free
    WHERE slot.host = :host AND slot.kind = :kind AND slot.number = free.number
    RETURNING slot.number, slot.free_at
    """
)
# A slot in use may be released now, and is then free in a window: no process needs to look later than that.
SELECT_SLOT_WAIT = text(
    f"""
    SELECT count(*) AS slots, extract(epoch FROM min(least(free_at, {NOW} + make_interval(secs => :window))) - {NOW})
           AS seconds FROM host_slots WHERE host = :host AND kind = :kind AND number <= :requests
    """
)
# Fenced: a slot whose time ran out and that another request has taken since is not released.
RELEASE_SLOT = text(
    f"""
    UPDATE host_slots SET free_at = {NOW} + make_interval(secs => :window)
    WHERE host = :host AND kind = :kind AND number = :number AND free_at = :until
    """
)
# Requests that come back later get times as far apart as the limit requires, so that they do not all come at once.
UPSERT_QUEUE_END = text(
    f"""
    INSERT INTO host_slots AS queue (host, kind, number, free_at)
    VALUES (:host, :kind, 1, {NOW} + make_interval(secs => :seconds))
    ON CONFLICT (host, kind, number) DO UPDATE SET free_at = least(
        greatest(queue.free_at + make_interval(secs => :gap), {NOW} + make_interval(secs => :seconds)),
        {NOW} + make_interval(secs => :longest))
    RETURNING extract(epoch FROM free_at - {NOW}) AS seconds
    """
)
UPSERT_PAUSE = text(
    f"""
    INSERT INTO host_health AS health (host, reason, left_alone_until)
    VALUES (:host, :reason, {NOW} + make_interval(secs => :seconds))
    ON CONFLICT (host) DO UPDATE SET reason = :reason,
        left_alone_until = greatest(health.left_alone_until, excluded.left_alone_until)
    """
)
SELECT_HOST_HEALTH = text(
    f"""
    SELECT failures, reason, extract(epoch FROM left_alone_until - {NOW}) AS seconds FROM host_health WHERE host = :host
    """
)
# Of all requests that wait for a host that failed, one probes it; the others wait for the result.
CLAIM_PROBE = text(
    f"""
    UPDATE host_health SET left_alone_until = {NOW} + make_interval(secs => :hold)
    WHERE host = :host AND failures >= :patience AND left_alone_until <= {NOW} RETURNING failures
    """
)
INSERT_HOST_HEALTH = text("INSERT INTO host_health (host) VALUES (:host) ON CONFLICT DO NOTHING")
UPDATE_FAILED_HOST = text(
    f"""
    UPDATE host_health SET failures = failures + 1, reason = :reason, left_alone_until = greatest(
        CASE WHEN NOT :probe THEN left_alone_until END,
        {NOW} + make_interval(secs => :retry_after),
        CASE WHEN failures + 1 >= :patience
             THEN {NOW} + make_interval(secs => least(:first * power(2, least(failures + 1 - :patience, 20)), :longest))
             END)
    WHERE host = :host
    """
)
# A response to a request sent before the host asked for a pause does not end the pause.
UPDATE_HEALTHY_HOST = text(
    f"""
    UPDATE host_health SET failures = 0, left_alone_until = NULL, reason = NULL
    WHERE host = :host AND failures > 0 AND (:probe OR left_alone_until IS NULL OR left_alone_until <= {NOW})
    """
)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``requests`` arrive at a host within any ``window`` seconds."""

    requests: int
    window: float


@dataclass(frozen=True, slots=True)
class PausePolicy:
    """A host is paused after ``failures`` consecutive failures: ``first`` seconds, doubling up to ``longest``."""

    failures: int = 5
    first: float = 60.0
    longest: float = 1800.0


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to send one request; ``probe`` marks the request that tests whether a failed host has recovered."""

    host: str
    kind: str
    number: int
    until: datetime
    window: float
    probe: bool


@dataclass(frozen=True, slots=True)
class RetryLater:
    """No permit for ``seconds``; with a ``reason``, the host is paused after so many consecutive ``failures``."""

    seconds: float
    reason: str | None = None
    failures: int = 0


class HostRateLimiter:
    """Permits to send requests to hosts, and pauses of hosts that fail or ask for one.

    ``clock`` (Unix time) replaces Postgres's own, for tests.
    """

    def __init__(
        self,
        engine: Engine,
        pause_policy: PausePolicy | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._engine = engine
        self._pause_policy = pause_policy or PausePolicy()
        self._clock = clock
        self._connections = threading.Semaphore(MAX_CONNECTIONS)

    def acquire(self, host: str, kind: str, limit: RateLimit, longest: float) -> Permit | RetryLater:
        """A permit, or when to try again. ``longest`` is the maximum time in seconds that the request may take."""
        hold = longest + limit.window
        slot_parameters = {"host": host, "kind": kind, "requests": limit.requests, "hold": hold, "window": limit.window}
        parameters = {**self._now(), **slot_parameters, "patience": self._pause_policy.failures}
        with self._connection() as connection:
            health = connection.execute(SELECT_HOST_HEALTH, parameters).one_or_none()
            if health is not None and health.seconds is not None and health.seconds > 0:
                return RetryLater(float(health.seconds), health.reason, health.failures)
            slot = connection.execute(TAKE_FREE_SLOT, parameters).one_or_none()
            if slot is None:
                wait: Row[tuple[int, float]] = connection.execute(SELECT_SLOT_WAIT, parameters).one()
                if wait.slots >= limit.requests:
                    return RetryLater(max(float(wait.seconds), 0.0))
                connection.execute(INSERT_SLOTS, parameters)
                slot = connection.execute(TAKE_FREE_SLOT, parameters).one_or_none()
                if slot is None:  # other processes were faster
                    return RetryLater(0.0)
            probe = False
            if health is not None and health.failures >= self._pause_policy.failures:
                probe = connection.execute(CLAIM_PROBE, parameters).one_or_none() is not None
                if not probe:
                    connection.rollback()
                    return RetryLater(PROBE_RETRY, health.reason, health.failures)
            return Permit(host, kind, slot.number, slot.free_at, limit.window, probe)

    def enqueue(self, host: str, kind: str, limit: RateLimit, seconds: float) -> float:
        """Join the queue of requests that come back later; return after how many seconds, at least ``seconds``.

        The queue only assigns times and reserves no slot: any request takes a slot that it finds free.
        """
        queue_parameters = {
            "kind": f"{kind} queue",
            "gap": limit.window / limit.requests,
            "longest": max(MAX_QUEUE_DELAY, seconds),
        }
        parameters = {**self._now(), "host": host, "seconds": seconds, **queue_parameters}
        with self._connection() as connection:
            return float(connection.execute(UPSERT_QUEUE_END, parameters).scalar_one())

    def pause_of(self, host: str) -> RetryLater | None:
        """The pause of a host, if it is paused now; for hosts that are requested without permits."""
        with self._connection() as connection:
            health = connection.execute(SELECT_HOST_HEALTH, {**self._now(), "host": host}).one_or_none()
        if health is None or health.seconds is None or health.seconds <= 0:
            return None
        return RetryLater(float(health.seconds), health.reason, health.failures)

    def pause(self, host: str, reason: str, seconds: float) -> None:
        """Pause a host that is requested without permits, because it asked for a pause; a longer pause is kept."""
        with self._connection() as connection:
            connection.execute(UPSERT_PAUSE, {**self._now(), "host": host, "reason": reason, "seconds": seconds})

    def release(self, permit: Permit) -> None:
        """Release the slot one window from now: the response has begun, so the request has arrived."""
        with self._connection() as connection:
            connection.execute(RELEASE_SLOT, self._parameters(permit))

    def succeeded(self, permit: Permit) -> None:
        """Record that the host responded in a way that does not count as its failure; release the slot."""
        with self._connection() as connection:
            connection.execute(RELEASE_SLOT, self._parameters(permit))
            connection.execute(UPDATE_HEALTHY_HOST, self._parameters(permit))

    def failed(self, permit: Permit, reason: str, retry_after: float | None = None) -> None:
        """Record a failure of the host for all processes; ``retry_after`` is the pause it asked for, in seconds."""
        policy = self._pause_policy
        pause_parameters = {"patience": policy.failures, "first": policy.first, "longest": policy.longest}
        with self._connection() as connection:
            connection.execute(RELEASE_SLOT, self._parameters(permit))
            connection.execute(INSERT_HOST_HEALTH, self._parameters(permit))
            failure_parameters = {"reason": reason, "retry_after": retry_after or 0.0}
            connection.execute(UPDATE_FAILED_HOST, self._parameters(permit) | pause_parameters | failure_parameters)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self._connections, self._engine.begin() as connection:
            yield connection

    def _parameters(self, permit: Permit) -> dict[str, object]:
        return {
            **self._now(),
            "host": permit.host,
            "kind": permit.kind,
            "number": permit.number,
            "until": permit.until,
            "window": permit.window,
            "probe": permit.probe,
        }

    def _now(self) -> dict[str, float | None]:
        return {"now": self._clock() if self._clock else None}
