"""The health of the database: schema, encoding, clock, relay; and how many listings are undecided."""

from __future__ import annotations

import time

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from infra.store.database import alembic_config

COUNT_RELAY_LOCKS = text(
    """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :key
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)
# Listings, not withdrawn, that have no final decision of the active model yet.
COUNT_UNDECIDED = text(
    """
    SELECT count(*) FROM listings l JOIN sources s ON s.id = l.source_id JOIN taxonomies t ON t.id = s.taxonomy_id
    WHERE s.name = :source AND l.withdrawn_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM decisions d WHERE d.revision_id = l.current_revision_id AND d.model_id = t.active_model_id
        AND NOT d.provisional)
    """
)

ENCODING_ADVICE = "make one with: CREATE DATABASE rayon ENCODING 'UTF8' TEMPLATE template0"


def count_undecided(connection: Connection, source: str) -> int:
    """How many listings of a source wait for a final decision of the active model."""
    return int(connection.scalar(COUNT_UNDECIDED, {"source": source}) or 0)


def relay_is_active(connection: Connection, key: int) -> bool:
    """Whether a session holds the advisory lock of the active relay."""
    return bool(connection.scalar(COUNT_RELAY_LOCKS, {"key": key}))


def schema_revision(connection: Connection) -> str | None:
    """The migration that the database is at; None for a database that was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def newest_revision() -> str | None:
    """The last migration of this version of Rayon."""
    return ScriptDirectory.from_config(alembic_config("")).get_current_head()


def encoding(connection: Connection) -> str:
    """The encoding of the database; any but UTF8 refuses some of what sellers write."""
    return str(connection.scalar(text("SHOW server_encoding")))


def clock_skew(connection: Connection) -> float:
    """Seconds by which the clock of the database, which deadlines go by, is ahead of this machine's."""
    before = time.time()
    database_time = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float8"))
    # The reading was taken about halfway between sending and receiving.
    return float(database_time or 0.0) - (before + time.time()) / 2
