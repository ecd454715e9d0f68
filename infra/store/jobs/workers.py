"""Living workers: each tells that it is there, what it takes and how fast it is."""

from __future__ import annotations

from sqlalchemy import Connection, text

from infra.store.notifications import wake_relay
from pipeline.domain.job import Queue

FORGET_AFTER = 3600

HERE = text(
    """
    INSERT INTO workers (name, role, queue, slots, memory)
    VALUES (:name, :role, CAST(:queue AS queue), :slots, :memory)
    ON CONFLICT (name) DO UPDATE SET seen_at = now(), slots = excluded.slots, memory = excluded.memory
    RETURNING xmax = 0 AS arrived
    """
)


def announce(connection: Connection, name: str, role: str, queue: Queue, slots: int, memory: int) -> None:
    """Tell that a worker lives (memory in bytes, of all its processes); the first time, wake the relay."""
    row = connection.execute(HERE, {"name": name, "role": role, "queue": queue, "slots": slots, "memory": memory}).one()
    if row.arrived:
        connection.execute(
            text("DELETE FROM workers WHERE seen_at < now() - make_interval(secs => :age)"), {"age": FORGET_AFTER}
        )
        wake_relay(connection)


def leave(connection: Connection, name: str) -> None:
    """A worker that ends on purpose holds nothing any more."""
    connection.execute(text("DELETE FROM workers WHERE name = :name"), {"name": name})


def report_speed(connection: Connection, name: str, seconds_per_listing: float) -> None:
    """Keep a running mean of how long a listing takes; not worth a flush to disk."""
    connection.execute(text("SET LOCAL synchronous_commit = off"))
    connection.execute(
        text(
            "UPDATE workers SET seconds_per_listing = 0.7 * coalesce(seconds_per_listing, :seconds) + 0.3 * :seconds "
            "WHERE name = :name"
        ),
        {"name": name, "seconds": seconds_per_listing},
    )
