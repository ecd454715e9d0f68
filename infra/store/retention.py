"""Retention: old rows go, in chunks, so that no purge holds locks for long."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, text

CHUNK = 2_000

# Table -> (setting, condition with :age in days). Only rows that no open work and no listing's story needs.
RULES: Mapping[str, tuple[str, str]] = {
    "events": ("keep_events", "created_at < now() - make_interval(days => :age)"),
    "idempotency_keys": ("keep_idempotency_keys", "created_at < now() - make_interval(days => :age)"),
    "attempts": ("keep_attempts", "ended_at < now() - make_interval(days => :age)"),
    "import_rows": (
        "keep_import_rows",
        "import_id IN (SELECT id FROM imports WHERE ended_at < now() - make_interval(days => :age))",
    ),
    "import_differences": (
        "keep_import_rows",
        "import_id IN (SELECT id FROM imports WHERE ended_at < now() - make_interval(days => :age))",
    ),
    # A turn that is taken is free later than now; those of a host go together, and are made again when it is asked.
    "host_slots": (
        "keep_hosts",
        "NOT EXISTS (SELECT 1 FROM host_slots used WHERE used.host = host_slots.host "
        "AND used.free_at >= now() - make_interval(days => :age))",
    ),
    # Every failure sets the moment; none is set of a host that has answered since, of which nothing is to be known.
    "host_health": ("keep_hosts", "coalesce(left_alone_until, '-infinity') < now() - make_interval(days => :age)"),
}
# A taxonomy keeps its latest study, however old.
OLD_STUDIES = text(
    """
    SELECT s.id FROM studies s WHERE s.ended_at < now() - make_interval(days => :age)
    AND EXISTS (SELECT 1 FROM studies n WHERE n.taxonomy_id = s.taxonomy_id AND n.id > s.id AND n.status = 'done')
    ORDER BY s.id
    """
)
SETTINGS = frozenset(setting for setting, _ in RULES.values())


def purge(engine: Engine, days: Mapping[str, int]) -> dict[str, int]:
    """Delete what is older than its table's days; returns the counts by table."""
    counts: dict[str, int] = {}
    for table, (setting, condition) in RULES.items():
        counts[table] = 0
        statement = text(
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {condition} LIMIT {CHUNK}))"
        )
        deleted = CHUNK
        while deleted == CHUNK:
            with engine.begin() as connection:
                deleted = connection.execute(statement, {"age": days[setting]}).rowcount
            counts[table] += deleted
    return counts


def old_studies(connection: Connection, days: int) -> list[int]:
    """Ids of the studies that ended so long ago and have a later one of their taxonomy."""
    return list(connection.scalars(OLD_STUDIES, {"age": days}))


def forget_study(connection: Connection, study_id: int) -> None:
    """Remove a study and its trials from the record; its files are the caller's."""
    connection.execute(text("DELETE FROM studies WHERE id = :id"), {"id": study_id})
