"""Dead letters: jobs given up, with reason, traceback and history; replayable."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from infra.store.sql import SQL_OPEN_STATES, reason_json_text, reason_text, storable
from infra.store.studies import stages
from pipeline.domain.job import JobState
from pipeline.domain.reason import Reason

BURY = text(
    f"""
    WITH buried AS (
        UPDATE jobs SET state = '{JobState.DEAD}', deadline = NULL, ended_at = now() WHERE id = ANY(:ids)
        RETURNING id, listing_id, revision_id
    ), letters AS (
        INSERT INTO dead_letters (job_id, reason, coded_reason, traceback, history)
        SELECT b.id, :reason, CAST(:coded AS jsonb), :traceback, coalesce(
            (SELECT jsonb_agg(jsonb_build_object('attempt', a.attempt, 'worker', a.worker, 'started_at', a.started_at,
                'ended_at', a.ended_at, 'outcome', a.outcome, 'error', a.error) ORDER BY a.attempt)
             FROM attempts a WHERE a.job_id = b.id), '[]')
        FROM buried b
    )
    INSERT INTO events (kind, listing_id, revision_id, payload)
    SELECT 'job_died', listing_id, revision_id, jsonb_build_object('job_id', id, 'reason', CAST(:reason AS text))
    FROM buried
    """
)
# Nobody goes on with it by itself, so it must not seem to run.
END_IMPORTS = text(
    """
    UPDATE imports SET status = 'failed', ended_at = now(), note = :reason, coded_note = CAST(:coded AS jsonb)
    FROM jobs WHERE jobs.id = ANY(:ids) AND jobs.kind = 'collect'
    AND imports.id = (jobs.payload ->> 'import_id')::bigint AND imports.status = 'running'
    """
)
# A job whose revision is no longer current, or is being worked on by another job, is not worth doing again.
REPLAY = text(
    f"""
    WITH chosen AS (
        SELECT d.id AS letter, j.id AS job,
               j.revision_id IS NULL OR (l.current_revision_id = j.revision_id AND l.withdrawn_at IS NULL) AS current
        FROM dead_letters d JOIN jobs j ON j.id = d.job_id LEFT JOIN listings l ON l.id = j.listing_id
        WHERE d.replayed_at IS NULL AND j.state = '{JobState.DEAD}'
          AND (CAST(:ids AS bigint[]) IS NULL OR d.id = ANY(CAST(:ids AS bigint[])))
          AND (CAST(:reason AS text) IS NULL OR position(lower(CAST(:reason AS text)) IN lower(d.reason)) > 0)
          AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.revision_id = j.revision_id
                          AND o.state IN {SQL_OPEN_STATES})
        FOR UPDATE OF d, j
    ), answered AS (
        UPDATE dead_letters SET replayed_at = now() FROM chosen WHERE dead_letters.id = chosen.letter
    )
    UPDATE jobs SET state = CASE WHEN chosen.current THEN 'waiting' ELSE 'superseded' END::job_state,
           failures = 0, deaths_alone = 0, alone = false, not_before = now(), note = 'replayed',
           ended_at = CASE WHEN chosen.current THEN NULL ELSE now() END
    FROM chosen WHERE jobs.id = chosen.job RETURNING state
    """
)


def bury(connection: Connection, job_ids: Sequence[int], reason: Reason, traceback: str | None = None) -> None:
    """Give jobs up: state, letter and event in the caller's transaction.

    Their studies go on without them; imports that were theirs to do have failed, for the same reason.
    """
    given = {"ids": list(job_ids), "reason": reason_text(reason), "coded": reason_json_text(reason)}
    connection.execute(BURY, given | {"traceback": storable(traceback)})
    stages.go_on_without(connection, job_ids, reason)
    connection.execute(END_IMPORTS, given)


def replay(connection: Connection, letter_ids: Sequence[int] | None, reason_contains: str | None) -> int:
    """Set the jobs of open letters waiting again; returns how many do."""
    ids = None if letter_ids is None else list(letter_ids)
    rows = connection.execute(REPLAY, {"ids": ids, "reason": reason_contains}).all()
    return sum(row.state == "waiting" for row in rows)
