"""Dead letters, jobs that failed for good: written, replayed, and read by operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, text

from infra.store.notify_channels import wake_relay
from infra.store.sql_fragments import SQL_OPEN_STATES, reason_json_text, reason_text, storable
from infra.store.studies import stages
from pipeline.domain.job import JobKind, JobState, OpenDeadLetter, Priority
from pipeline.domain.reason import Reason

INSERT_LETTERS = text(
    f"""
    WITH given_up AS (
        UPDATE jobs SET state = '{JobState.DEAD}', deadline = NULL, ended_at = now() WHERE id = ANY(:ids)
        RETURNING id, listing_id, revision_id
    ), letters AS (
        INSERT INTO dead_letters (job_id, reason, coded_reason, traceback, history)
        SELECT g.id, :reason, CAST(:coded AS jsonb), :traceback, coalesce(
            (SELECT jsonb_agg(jsonb_build_object('attempt', a.attempt, 'worker', a.worker, 'started_at', a.started_at,
                'ended_at', a.ended_at, 'outcome', a.outcome, 'error', a.error) ORDER BY a.attempt)
             FROM attempts a WHERE a.job_id = g.id), '[]')
        FROM given_up g
    )
    INSERT INTO events (kind, listing_id, revision_id, payload)
    SELECT 'job_died', listing_id, revision_id, jsonb_build_object('job_id', id, 'reason', CAST(:reason AS text))
    FROM given_up
    """
)
# No other job continues such an import, so it must not look as if it were still running.
FAIL_IMPORTS = text(
    """
    UPDATE imports SET status = 'failed', ended_at = now(), note = :reason, coded_note = CAST(:coded AS jsonb)
    FROM jobs WHERE jobs.id = ANY(:ids) AND jobs.kind = 'collect'
    AND imports.id = (jobs.payload ->> 'import_id')::bigint AND imports.status = 'running'
    """
)
LOCK_OPEN_LETTERS = text(
    f"""
    SELECT d.id, j.id AS job_id, j.revision_id,
           j.revision_id IS NULL OR (l.current_revision_id = j.revision_id AND l.withdrawn_at IS NULL) AS is_current
    FROM dead_letters d JOIN jobs j ON j.id = d.job_id LEFT JOIN listings l ON l.id = j.listing_id
    WHERE d.replayed_at IS NULL AND j.state = '{JobState.DEAD}'
      AND (CAST(:ids AS bigint[]) IS NULL OR d.id = ANY(CAST(:ids AS bigint[])))
      AND (CAST(:reason AS text) IS NULL OR position(lower(CAST(:reason AS text)) IN lower(d.reason)) > 0)
      AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.revision_id = j.revision_id AND o.state IN {SQL_OPEN_STATES})
    ORDER BY j.id FOR UPDATE OF d, j
    """
)
MARK_REPLAYED = text("UPDATE dead_letters SET replayed_at = now() WHERE id = ANY(:ids)")
RESTART_JOBS = text(
    f"""
    UPDATE jobs SET state = '{JobState.WAITING}', failures = 0, deaths_alone = 0, alone = false, not_before = now(),
           note = 'replayed', ended_at = NULL WHERE id = ANY(:ids)
    """
)
SUPERSEDE_JOBS = text(
    f"UPDATE jobs SET state = '{JobState.SUPERSEDED}', note = 'replayed', ended_at = now() WHERE id = ANY(:ids)"
)


class SqlDeadLetters:
    """Implements ``pipeline.ports.administration_repositories.DeadLetterRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock_open(self, letter_ids: Sequence[int] | None, reason_contains: str | None) -> list[OpenDeadLetter]:
        """Letters not replayed yet, with these ids and with this text in their reason (None: all), locked.

        Letters whose revision has another open job are left out.
        """
        ids = None if letter_ids is None else list(letter_ids)
        rows = self._connection.execute(LOCK_OPEN_LETTERS, {"ids": ids, "reason": reason_contains})
        return [OpenDeadLetter(*row) for row in rows]

    def replay(self, letters: Sequence[OpenDeadLetter]) -> None:
        """Return the jobs of these letters to ``waiting``, with no failures counted, and wake the relay."""
        self._mark_replayed(letters)
        self._connection.execute(RESTART_JOBS, {"ids": [letter.job_id for letter in letters]})
        wake_relay(self._connection)

    def supersede(self, letters: Sequence[OpenDeadLetter]) -> None:
        """End the jobs of these letters as superseded."""
        self._mark_replayed(letters)
        self._connection.execute(SUPERSEDE_JOBS, {"ids": [letter.job_id for letter in letters]})

    def _mark_replayed(self, letters: Sequence[OpenDeadLetter]) -> None:
        self._connection.execute(MARK_REPLAYED, {"ids": [letter.id for letter in letters]})


def give_up(connection: Connection, job_ids: Sequence[int], reason: Reason, traceback: str | None = None) -> None:
    """Give jobs up: write their state, a dead letter and an event each, in the caller's transaction.

    Their studies continue without them; the imports that they were running fail for the same reason.
    """
    parameters = {"ids": list(job_ids), "reason": reason_text(reason), "coded": reason_json_text(reason)}
    connection.execute(INSERT_LETTERS, parameters | {"traceback": storable(traceback)})
    stages.continue_without(connection, job_ids, reason)
    connection.execute(FAIL_IMPORTS, parameters)


# ``again``: another open job works on the same revision, so replaying would change nothing.
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
    """A dead letter as lists show it; the fields about a listing are None for a long job.

    ``again``: another open job works on the same revision, so replaying would change nothing.
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
    """Conditions on letters: listings of these sources, replayed or not, text in the reason; None sets no condition."""

    source_ids: frozenset[int] | None = None
    replayed: bool | None = None
    reason_contains: str | None = None


Letter = TypeVar("Letter", bound=DeadLetterView)


def list_dead_letters(
    connection: Connection, letter_filter: DeadLetterFilter, *, before_id: int | None = None, limit: int = 50
) -> list[DeadLetterView]:
    """Letters with ids below ``before_id``, newest first."""
    parameters = {
        "sources": None if letter_filter.source_ids is None else sorted(letter_filter.source_ids),
        "replayed": letter_filter.replayed,
        "reason": letter_filter.reason_contains,
        "before": before_id,
        "limit": limit,
    }
    return [_letter(DeadLetterView, row) for row in connection.execute(SELECT_MATCHING_LETTERS, parameters)]


def find_dead_letter(connection: Connection, letter_id: int) -> DeadLetterDetails | None:
    """One letter, or None."""
    row = connection.execute(SELECT_LETTER, {"id": letter_id}).first()
    return None if row is None else _letter(DeadLetterDetails, row)


def _letter(kind: type[Letter], row: Row[Any]) -> Letter:
    fields = {**row._mapping, "reason": Reason.stored(row.coded_reason, row.reason)}
    del fields["coded_reason"]
    return kind(**fields)
