"""Whose turn it is to ask a host, and whether it is left alone: shared by all processes, by Postgres's clock.

A host counts requests when they arrive, which nobody here sees. But a request arrives after its turn was taken and
before its answer is here; so a slot is taken for the longest that a request can last, and once the answer is here it
becomes free one ``window`` later. Two arrivals on one slot are then at least a window apart, however late each was:
with ``most`` slots, no stretch of a window ever sees more than ``most`` arrivals. A process that dies frees nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, Row, text

LONGEST_QUEUE = 86_400.0  # seconds; who would come later comes then, and asks again
AT_ONCE = 2  # connections: many threads of a process fetch photos, and none holds one for long
ANOTHER_PROBES = 0.1  # seconds until the record tells how long that may take
NOW = "COALESCE(to_timestamp(CAST(:now AS float8)), clock_timestamp())"

MAKE_SLOTS = text(
    """
    INSERT INTO host_slots (host, kind, number, free_at)
    SELECT :host, :kind, number, to_timestamp(0) FROM generate_series(1, CAST(:most AS int)) AS number
    ON CONFLICT DO NOTHING
    """
)
# Materialised: a subquery might be run again for every row, and then take several.
TAKE = text(
    f"""
    WITH free AS MATERIALIZED (
        SELECT number FROM host_slots
        WHERE host = :host AND kind = :kind AND number <= :most AND free_at <= {NOW}
        ORDER BY free_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE host_slots AS slot SET free_at = {NOW} + make_interval(secs => :hold) FROM free
    WHERE slot.host = :host AND slot.kind = :kind AND slot.number = free.number
    RETURNING slot.number, slot.free_at
    """
)
# A slot in use is free no sooner than a window from now, so nobody needs to look before.
WAIT = text(
    f"""
    SELECT count(*) AS slots, extract(epoch FROM min(least(free_at, {NOW} + make_interval(secs => :window))) - {NOW})
           AS seconds FROM host_slots WHERE host = :host AND kind = :kind AND number <= :most
    """
)
# The fence: a slot whose time ran out, and that another has, is not shortened.
GIVE_BACK = text(
    f"""
    UPDATE host_slots SET free_at = {NOW} + make_interval(secs => :window)
    WHERE host = :host AND kind = :kind AND number = :number AND free_at = :until
    """
)
# Those who come back later are told moments as far apart as the turns are, so that they do not come all at once.
QUEUE = text(
    f"""
    INSERT INTO host_slots AS queue (host, kind, number, free_at)
    VALUES (:host, :kind, 1, {NOW} + make_interval(secs => :seconds))
    ON CONFLICT (host, kind, number) DO UPDATE SET free_at = least(
        greatest(queue.free_at + make_interval(secs => :gap), {NOW} + make_interval(secs => :seconds)),
        {NOW} + make_interval(secs => :longest))
    RETURNING extract(epoch FROM free_at - {NOW}) AS seconds
    """
)
WISH = text(
    f"""
    INSERT INTO host_health AS health (host, reason, left_alone_until)
    VALUES (:host, :reason, {NOW} + make_interval(secs => :seconds))
    ON CONFLICT (host) DO UPDATE SET reason = :reason,
        left_alone_until = greatest(health.left_alone_until, excluded.left_alone_until)
    """
)
HEALTH = text(
    f"""
    SELECT failures, reason, extract(epoch FROM left_alone_until - {NOW}) AS seconds FROM host_health WHERE host = :host
    """
)
# Of all who wait for a host that failed, one tries it; the others wait for what becomes of that.
PROBE = text(
    f"""
    UPDATE host_health SET left_alone_until = {NOW} + make_interval(secs => :hold)
    WHERE host = :host AND failures >= :patience AND left_alone_until <= {NOW} RETURNING failures
    """
)
MEET = text("INSERT INTO host_health (host) VALUES (:host) ON CONFLICT DO NOTHING")
FAILED = text(
    f"""
    UPDATE host_health SET failures = failures + 1, reason = :reason, left_alone_until = greatest(
        CASE WHEN NOT :probe THEN left_alone_until END,
        {NOW} + make_interval(secs => :asked),
        CASE WHEN failures + 1 >= :patience
             THEN {NOW} + make_interval(secs => least(:rest * power(2, least(failures + 1 - :patience, 20)), :longest))
             END)
    WHERE host = :host
    """
)
# An answer that was asked for before the host wished to be left alone does not end that.
ANSWERED = text(
    f"""
    UPDATE host_health SET failures = 0, left_alone_until = NULL, reason = NULL
    WHERE host = :host AND failures > 0 AND (:probe OR left_alone_until IS NULL OR left_alone_until <= {NOW})
    """
)


@dataclass(frozen=True, slots=True)
class Pace:
    """At most ``most`` requests arrive at a host within any ``window`` seconds."""

    most: int
    window: float


@dataclass(frozen=True, slots=True)
class Rest:
    """``failures`` in a row, and a host is left alone: ``first`` seconds, then twice that, up to ``longest``."""

    failures: int = 5
    first: float = 60.0
    longest: float = 1800.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Leave to send one request; ``probe`` is that of the one who tries a host that failed."""

    host: str
    kind: str
    number: int
    until: datetime
    window: float
    probe: bool


@dataclass(frozen=True, slots=True)
class NotYet:
    """It is nobody's turn for ``seconds``; with a ``reason`` the host is left alone, after ``failures`` in a row."""

    seconds: float
    reason: str | None = None
    failures: int = 0


class HostRecord:
    """The record of hosts in Postgres. ``clock`` (Unix time) replaces Postgres's own, for tests."""

    def __init__(self, engine: Engine, rest: Rest | None = None, clock: Callable[[], float] | None = None) -> None:
        self._engine = engine
        self._rest = rest or Rest()
        self._clock = clock
        self._few = threading.Semaphore(AT_ONCE)

    def take(self, host: str, kind: str, pace: Pace, longest: float) -> Turn | NotYet:
        """A turn, or how long there is none. ``longest`` is how many seconds a request may take from now."""
        hold = longest + pace.window
        asked = {**self._now(), "host": host, "kind": kind, "most": pace.most, "hold": hold, "window": pace.window}
        patience = {"patience": self._rest.failures}
        with self._connection() as connection:
            health = connection.execute(HEALTH, asked).one_or_none()
            if health is not None and health.seconds is not None and health.seconds > 0:
                return NotYet(float(health.seconds), health.reason, health.failures)
            slot = connection.execute(TAKE, asked).one_or_none()
            if slot is None:
                waited: Row[tuple[int, float]] = connection.execute(WAIT, asked).one()
                if waited.slots >= pace.most:
                    return NotYet(max(float(waited.seconds), 0.0))
                connection.execute(MAKE_SLOTS, asked)
                slot = connection.execute(TAKE, asked).one_or_none()
                if slot is None:  # others were quicker
                    return NotYet(0.0)
            probe = False
            if health is not None and health.failures >= self._rest.failures:
                probe = connection.execute(PROBE, asked | patience).one_or_none() is not None
                if not probe:
                    connection.rollback()
                    return NotYet(ANOTHER_PROBES, health.reason, health.failures)
            return Turn(host, kind, slot.number, slot.free_at, pace.window, probe)

    def queue(self, host: str, kind: str, pace: Pace, seconds: float) -> float:
        """After how many seconds to come back for a turn, at least ``seconds``: each who asks comes after the others.

        It is a place in time only; whoever finds a turn free meanwhile takes it.
        """
        line = {"kind": f"{kind} queue", "gap": pace.window / pace.most, "longest": max(LONGEST_QUEUE, seconds)}
        with self._connection() as connection:
            return float(
                connection.execute(QUEUE, {**self._now(), "host": host, "seconds": seconds} | line).scalar_one()
            )

    def left_alone(self, host: str) -> NotYet | None:
        """Whether a host is left alone now; for hosts that are asked without turns."""
        with self._connection() as connection:
            health = connection.execute(HEALTH, {**self._now(), "host": host}).one_or_none()
        if health is None or health.seconds is None or health.seconds <= 0:
            return None
        return NotYet(float(health.seconds), health.reason, health.failures)

    def wish(self, host: str, reason: str, seconds: float) -> None:
        """A host that is asked without turns wishes to be left alone for so long."""
        with self._connection() as connection:
            connection.execute(WISH, {**self._now(), "host": host, "reason": reason, "seconds": seconds})

    def give_back(self, turn: Turn) -> None:
        """The answer to the request of this turn has begun; the slot is free one window from now."""
        with self._connection() as connection:
            connection.execute(GIVE_BACK, self._of(turn))

    def answered(self, turn: Turn) -> None:
        """The request of this turn has been answered, in whatever way that is not the host's failure."""
        with self._connection() as connection:
            connection.execute(GIVE_BACK, self._of(turn))
            connection.execute(ANSWERED, self._of(turn))

    def failed(self, turn: Turn, reason: str, retry_after: float | None = None) -> None:
        """The host failed; ``retry_after`` is how many seconds it asks to be left alone, which holds for everybody."""
        rest = {"patience": self._rest.failures, "rest": self._rest.first, "longest": self._rest.longest}
        with self._connection() as connection:
            connection.execute(GIVE_BACK, self._of(turn))
            connection.execute(MEET, self._of(turn))
            connection.execute(FAILED, self._of(turn) | rest | {"reason": reason, "asked": retry_after or 0.0})

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self._few, self._engine.begin() as connection:
            yield connection

    def _of(self, turn: Turn) -> dict[str, object]:
        return {
            **self._now(),
            "host": turn.host,
            "kind": turn.kind,
            "number": turn.number,
            "until": turn.until,
            "window": turn.window,
            "probe": turn.probe,
        }

    def _now(self) -> dict[str, float | None]:
        return {"now": self._clock() if self._clock else None}
