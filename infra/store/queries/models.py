"""Model versions side by side, with their metrics."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

MODELS = """
    SELECT m.id, m.number, t.name AS taxonomy, m.taxonomy_id, m.status, m.manifest->'metrics' AS metrics,
           m.manifest->'examples' AS examples, m.manifest->'level' AS level, m.manifest->'extractors' AS extractors,
           m.manifest->>'data_fingerprint' AS data_fingerprint, m.manifest->'seed' AS seed, m.created_at,
           m.promoted_at, m.retired_at
    FROM model_versions m JOIN taxonomies t ON t.id = m.taxonomy_id
"""
# A key bound to sources sees the models that decide for them.
SEEN = "(:every OR m.taxonomy_id IN (SELECT taxonomy_id FROM sources WHERE id = ANY(:sources)))"


def list_models(
    connection: Connection, source_ids: frozenset[int] | None, taxonomy: str | None = None
) -> list[dict[str, Any]]:
    """Versions by taxonomy, newest first."""
    statement = text(
        f"{MODELS} WHERE {SEEN} AND (CAST(:taxonomy AS text) IS NULL OR t.name = :taxonomy) "
        "ORDER BY t.name, m.number DESC"
    )
    rows = connection.execute(statement, _seen(source_ids) | {"taxonomy": taxonomy})
    return [dict(row) for row in rows.mappings()]


def find_model(connection: Connection, model_id: int, source_ids: frozenset[int] | None) -> dict[str, Any] | None:
    """One version with its whole manifest, or None."""
    statement = text(f"{MODELS.replace('SELECT', 'SELECT m.manifest,', 1)} WHERE m.id = :id AND {SEEN}")
    row = connection.execute(statement, _seen(source_ids) | {"id": model_id}).mappings().first()
    return None if row is None else dict(row)


def _seen(source_ids: frozenset[int] | None) -> dict[str, Any]:
    return {"every": source_ids is None, "sources": sorted(source_ids or ())}
