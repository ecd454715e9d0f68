"""What status and doctor ask the record beyond the backlog: decisions, models, schema, relay, clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from infra.store.schema import alembic_config

RELAYS = text(
    """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :key
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
)
ACTIVE_MODELS = text(
    """
    SELECT t.name AS taxonomy, m.id, m.number, m.promoted_at
    FROM taxonomies t JOIN model_versions m ON m.id = t.active_model_id ORDER BY t.name
    """
)
OPEN_RUNS = text(
    """
    SELECT id, kind::text, state::text, coalesce(progress, 0)::float8 AS progress, coalesce(note, '') AS note
    FROM jobs WHERE kind <> 'categorise' AND state IN ('waiting', 'sent', 'leased') ORDER BY id
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


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """The model version that decides for a taxonomy."""

    taxonomy: str
    id: int
    number: int
    promoted_at: datetime | None


def listing_counts(connection: Connection) -> dict[str, int]:
    """How many listings are in each status; statuses without listings are 0."""
    rows = connection.execute(
        text(
            "SELECT s.status::text, count(l.id) FROM unnest(enum_range(NULL::listing_status)) AS s(status) "
            "LEFT JOIN listings l ON l.status = s.status GROUP BY s.status ORDER BY s.status"
        )
    )
    return {row[0]: row[1] for row in rows}


def undecided(connection: Connection, source: str) -> int:
    """How many listings of a source still wait for the final decision of the active model."""
    return int(connection.scalar(UNDECIDED, {"source": source}) or 0)


def open_runs(connection: Connection) -> list[dict[str, Any]]:
    """Long jobs that are not over: kind, state, progress (0 to 1) and note."""
    return [dict(row) for row in connection.execute(OPEN_RUNS).mappings()]


def active_models(connection: Connection) -> list[ActiveVersion]:
    """The active version of each taxonomy that has one."""
    return [ActiveVersion(*row) for row in connection.execute(ACTIVE_MODELS)]


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


def clock_skew(connection: Connection) -> float:
    """Seconds by which the database's clock is ahead of ours; deadlines go by its clock."""
    before = time.time()
    theirs = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float8"))
    # Half of the way there and back belongs to neither.
    return float(theirs or 0.0) - (before + time.time()) / 2
