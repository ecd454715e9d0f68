"""The workers that are alive: each announces itself, its slots and its speed."""

from __future__ import annotations

from sqlalchemy import Connection, text

from infra.store.notify_channels import wake_relay
from pipeline.domain.job import AnnouncedWorker

FORGET_AFTER_SECONDS = 3600

UPSERT_WORKER = text(
    """
    INSERT INTO workers (name, role, queue, slots, memory)
    VALUES (:name, :role, CAST(:queue AS queue), :slots, :memory)
    ON CONFLICT (name) DO UPDATE SET seen_at = now(), slots = excluded.slots, memory = excluded.memory
    RETURNING xmax = 0 AS is_new
    """
)
DELETE_FORGOTTEN_WORKERS = text("DELETE FROM workers WHERE seen_at < now() - make_interval(secs => :age)")
DELETE_WORKER = text("DELETE FROM workers WHERE name = :name")
UPDATE_SPEED = text(
    "UPDATE workers SET seconds_per_listing = 0.7 * coalesce(seconds_per_listing, :seconds) + 0.3 * :seconds "
    "WHERE name = :name"
)


class SqlWorkers:
    """Implements ``pipeline.ports.repositories.Workers``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def announce(self, worker: AnnouncedWorker) -> None:
        """Record that a worker is alive; wake the relay if the worker is new."""
        parameters = {
            "name": worker.name,
            "role": worker.role,
            "queue": worker.queue,
            "slots": worker.slots,
            "memory": worker.memory,
        }
        if self._connection.execute(UPSERT_WORKER, parameters).scalar_one():
            self._connection.execute(DELETE_FORGOTTEN_WORKERS, {"age": FORGET_AFTER_SECONDS})
            wake_relay(self._connection)

    def remove(self, name: str) -> None:
        """Remove a worker that shuts down normally."""
        self._connection.execute(DELETE_WORKER, {"name": name})

    def report_speed(self, name: str, seconds_per_listing: float) -> None:
        """Update the moving average of a worker's speed, without waiting for a flush to disk."""
        self._connection.execute(text("SET LOCAL synchronous_commit = off"))
        self._connection.execute(UPDATE_SPEED, {"name": name, "seconds": seconds_per_listing})
