"""Imports and the verdicts of their rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

IMPORTS = """
    SELECT i.id, s.name AS source, i.origin, i.status, i.total, i.new, i.changed, i.unchanged, i.rejected,
           i.without_photo, i.note, i.started_at, i.ended_at
    FROM imports i JOIN sources s ON s.id = i.source_id WHERE (:every OR i.source_id = ANY(:sources))
"""
ROWS = text(
    """
    SELECT number, external_id, listing_id, verdict, reason, note FROM import_rows
    WHERE import_id = :id AND number > :after
      AND (CAST(:verdict AS text) IS NULL OR verdict = CAST(:verdict AS verdict))
    ORDER BY number LIMIT :limit
    """
)


def list_imports(
    connection: Connection, source_ids: frozenset[int] | None, before_id: int | None, limit: int
) -> list[dict[str, Any]]:
    """Imports into these sources (None: all), newest first, of ids below ``before_id``."""
    statement = text(
        f"{IMPORTS} AND (CAST(:before AS bigint) IS NULL OR i.id < :before) ORDER BY i.id DESC LIMIT :limit"
    )
    rows = connection.execute(statement, _seen(source_ids) | {"before": before_id, "limit": limit})
    return [dict(row) for row in rows.mappings()]


def find_import(connection: Connection, import_id: int, source_ids: frozenset[int] | None) -> dict[str, Any] | None:
    """One import, or None."""
    row = (
        connection.execute(text(f"{IMPORTS} AND i.id = :id"), _seen(source_ids) | {"id": import_id}).mappings().first()
    )
    return None if row is None else dict(row)


def import_rows(
    connection: Connection, import_id: int, verdict: str | None, after_number: int, limit: int
) -> list[dict[str, Any]]:
    """Rows of an import beyond ``after_number``, in their order."""
    parameters = {"id": import_id, "verdict": verdict, "after": after_number, "limit": limit}
    return [dict(row) for row in connection.execute(ROWS, parameters).mappings()]


def _seen(source_ids: frozenset[int] | None) -> dict[str, Any]:
    return {"every": source_ids is None, "sources": sorted(source_ids or ())}
