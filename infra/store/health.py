"""What status and doctor ask the database itself: schema, relay, clock, encoding; and what is undecided yet."""

from __future__ import annotations

import time

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from infra.store.database import alembic_config

RELAYS = text(
    """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :key
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)
# Listings whose latest word is not the active model's final one yet, and that nobody withdrew.
UNDECIDED = text(
    """
    SELECT count(*) FROM listings l JOIN sources s ON s.id = l.source_id JOIN taxonomies t ON t.id = s.taxonomy_id
    WHERE s.name = :source AND l.withdrawn_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM decisions d WHERE d.revision_id = l.current_revision_id AND d.model_id = t.active_model_id
        AND NOT d.provisional)
    """
)

ENCODING_ADVICE = "make one with: CREATE DATABASE rayon ENCODING 'UTF8' TEMPLATE template0"


def undecided(connection: Connection, source: str) -> int:
    """How many listings of a source still wait for the final decision of the active model."""
    return int(connection.scalar(UNDECIDED, {"source": source}) or 0)


def relay_is_active(connection: Connection, key: int) -> bool:
    """Whether some session holds the advisory lock of the active relay."""
    return bool(connection.scalar(RELAYS, {"key": key}))


def schema_revision(connection: Connection) -> str | None:
    """The migration the database stands at; None for a database that was never migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def newest_revision() -> str | None:
    """The last migration of this code."""
    return ScriptDirectory.from_config(alembic_config("")).get_current_head()


def encoding(connection: Connection) -> str:
    """How the database keeps text; anything but UTF8 refuses some of what sellers write."""
    return str(connection.scalar(text("SHOW server_encoding")))


def clock_skew(connection: Connection) -> float:
    """Seconds by which the database's clock is ahead of ours; deadlines go by its clock."""
    before = time.time()
    theirs = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float8"))
    # Half of the way there and back belongs to neither.
    return float(theirs or 0.0) - (before + time.time()) / 2
