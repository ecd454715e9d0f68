"""Retention: old rows go, in chunks, so that no purge holds locks for long."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Engine, text

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
}
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
