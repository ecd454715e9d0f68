"""Dead letters as operators read them: newest first, with the listing or long job that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store.sql import SQL_OPEN_STATES
from pipeline.domain.job import JobKind, JobState, Priority
from pipeline.domain.reason import Reason

# ``again``: another job works on the same revision by now, so that replaying would change nothing.
SELECT_LETTERS = f"""
    SELECT d.id, d.job_id, j.kind::text AS kind, j.priority, j.state AS job_state, j.attempt AS attempts, j.listing_id,
           l.external_id, s.name AS source, r.name, d.reason, d.coded_reason, d.created_at, d.replayed_at,
           EXISTS (SELECT 1 FROM jobs o WHERE o.revision_id = j.revision_id
                   AND o.state IN {SQL_OPEN_STATES}) AS again {{details}}
    FROM dead_letters d JOIN jobs j ON j.id = d.job_id LEFT JOIN listings l ON l.id = j.listing_id
    LEFT JOIN sources s ON s.id = l.source_id LEFT JOIN revisions r ON r.id = j.revision_id
"""
SELECT_MATCHING_LETTERS = text(
    f"""
    {SELECT_LETTERS.format(details="")}
    WHERE (CAST(:sources AS bigint[]) IS NULL OR l.source_id = ANY(CAST(:sources AS bigint[])))
      AND (CAST(:replayed AS boolean) IS NULL OR (d.replayed_at IS NOT NULL) = :replayed)
      AND (CAST(:reason AS text) IS NULL OR position(lower(:reason) IN lower(d.reason)) > 0)
      AND (CAST(:before AS bigint) IS NULL OR d.id < :before)
    ORDER BY d.id DESC LIMIT :limit
    """
)
SELECT_LETTER = text(f"{SELECT_LETTERS.format(details=', d.traceback, d.history')} WHERE d.id = :id")


@dataclass(frozen=True, slots=True)
class DeadLetterView:
    """A dead letter as lists show it; the fields of a listing are None for a long job.

    ``again``: another job works on the same revision by now, so that replaying would change nothing.
    """

    id: int
    job_id: int
    kind: JobKind
    priority: Priority
    job_state: JobState
    attempts: int
    listing_id: int | None
    external_id: str | None
    source: str | None
    name: str | None
    reason: Reason
    created_at: datetime
    replayed_at: datetime | None
    again: bool


@dataclass(frozen=True, slots=True)
class DeadLetterDetails(DeadLetterView):
    """A dead letter with its traceback and the history of attempts, oldest first."""

    traceback: str | None
    history: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which letters to list: about these sources (None: all), replayed or not, with this text in their reason."""

    source_ids: frozenset[int] | None = None
    replayed: bool | None = None
    reason_contains: str | None = None


def list_dead_letters(
    connection: Connection, wanted: DeadLetterFilter, *, before_id: int | None = None, limit: int = 50
) -> list[DeadLetterView]:
    """Letters of ids below ``before_id``, newest first."""
    parameters = {
        "sources": None if wanted.source_ids is None else sorted(wanted.source_ids),
        "replayed": wanted.replayed,
        "reason": wanted.reason_contains,
        "before": before_id,
        "limit": limit,
    }
    return [DeadLetterView(**_fields(row)) for row in connection.execute(SELECT_MATCHING_LETTERS, parameters)]


def find_dead_letter(connection: Connection, letter_id: int) -> DeadLetterDetails | None:
    """One letter, or None."""
    row = connection.execute(SELECT_LETTER, {"id": letter_id}).first()
    return None if row is None else DeadLetterDetails(**_fields(row))


def _fields(row: Row[Any]) -> dict[str, Any]:
    fields = {**row._mapping, "reason": Reason.stored(row.coded_reason, row.reason)}
    del fields["coded_reason"]
    return fields
