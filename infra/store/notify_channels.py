"""Postgres notifications, sent when the transaction commits: jobs for the relay, decisions for waiting requests."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

WAKE_CHANNEL = "rayon_jobs"
DECIDED_CHANNEL = "rayon_decided"

NOTIFY_RELAY = text("SELECT pg_notify(:channel, '')")
NOTIFY_DECIDED = text(
    "SELECT pg_notify(:channel, CAST(revision AS text)) FROM unnest(CAST(:ids AS bigint[])) AS r(revision)"
)


def wake_relay(connection: Connection) -> None:
    """Wake the relay, which otherwise polls for waiting jobs once per interval."""
    connection.execute(NOTIFY_RELAY, {"channel": WAKE_CHANNEL})


def notify_decided(connection: Connection, revision_ids: Sequence[int]) -> None:
    """Announce that these revisions have a decision."""
    connection.execute(NOTIFY_DECIDED, {"channel": DECIDED_CHANNEL, "ids": list(revision_ids)})
