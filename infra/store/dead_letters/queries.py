"""Dead letters as ops read them: newest first, with what they were about."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from infra.store.sql import SQL_OPEN_STATES

# ``again``: another job works on the same revision by now, so that replaying would change nothing.
LETTERS = f"""
    SELECT d.id, d.job_id, j.kind::text AS kind, j.priority, j.state AS job_state, j.attempt AS attempts, j.listing_id,
           l.external_id, s.name AS source, r.name, d.reason, d.coded_reason, d.created_at, d.replayed_at,
           EXISTS (SELECT 1 FROM jobs o WHERE o.revision_id = j.revision_id
                   AND o.state IN {SQL_OPEN_STATES}) AS again
    FROM dead_letters d JOIN jobs j ON j.id = d.job_id LEFT JOIN listings l ON l.id = j.listing_id
    LEFT JOIN sources s ON s.id = l.source_id LEFT JOIN revisions r ON r.id = j.revision_id
"""


def list_dead_letters(
    connection: Connection,
    *,
    source_ids: frozenset[int] | None = None,
    replayed: bool | None = None,
    reason_contains: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Letters of ids below ``before_id`` about these sources (None: all), newest first.

    ``replayed`` False leaves those that are still open.
    """
    statement = text(
        f"""
        {LETTERS}
        WHERE (CAST(:sources AS bigint[]) IS NULL OR l.source_id = ANY(CAST(:sources AS bigint[])))
          AND (CAST(:replayed AS boolean) IS NULL OR (d.replayed_at IS NOT NULL) = :replayed)
          AND (CAST(:reason AS text) IS NULL OR position(lower(:reason) IN lower(d.reason)) > 0)
          AND (CAST(:before AS bigint) IS NULL OR d.id < :before)
        ORDER BY d.id DESC LIMIT :limit
        """
    )
    parameters = {
        "sources": None if source_ids is None else sorted(source_ids),
        "replayed": replayed,
        "reason": reason_contains,
        "before": before_id,
        "limit": limit,
    }
    return [dict(row) for row in connection.execute(statement, parameters).mappings()]


def find_dead_letter(connection: Connection, letter_id: int) -> dict[str, Any] | None:
    """One letter with its traceback and the history of attempts, or None."""
    statement = text(f"{LETTERS.replace('d.reason,', 'd.reason, d.traceback, d.history,', 1)} WHERE d.id = :id")
    row = connection.execute(statement, {"id": letter_id}).mappings().first()
    return None if row is None else dict(row)
