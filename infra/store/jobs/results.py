"""Writing what a worker found: predictions, decision, event and the end of the job commit together, or not at all."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from infra.store.dead_letters import repository
from infra.store.decisions import writes
from infra.store.notifications import wake_relay
from infra.store.sql import storable
from pipeline.domain.claimed_job import AttemptResult
from pipeline.domain.job import AttemptOutcome, JobState, RetryPolicy

ACTIVE = text(
    """
    SELECT t.id, t.active_model_id, m.problem FROM taxonomies t LEFT JOIN model_versions m ON m.id = t.active_model_id
    WHERE t.id = ANY(:ids) ORDER BY t.id FOR SHARE OF t
    """
)
LOCK_LISTINGS = text("SELECT id FROM listings WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
# The fence: only the attempt that still holds the lease may end the job.
END = text(
    f"""
    UPDATE jobs SET state = CAST(ending.state AS job_state), deadline = NULL, note = ending.note,
           failures = failures + ending.failed, not_before = now() + make_interval(secs => ending.delay),
           alone = alone AND ending.state = '{JobState.WAITING}',
           deaths_alone = CASE WHEN ending.state = '{JobState.DONE}' THEN 0 ELSE deaths_alone END,
           ended_at = CASE WHEN ending.state = '{JobState.DONE}' THEN now() END
    FROM unnest(CAST(:jobs AS bigint[]), CAST(:attempts AS int[]), CAST(:states AS text[]), CAST(:notes AS text[]),
                CAST(:failed AS int[]), CAST(:delays AS float8[]))
         AS ending(job, attempt, state, note, failed, delay)
    WHERE id = ending.job AND jobs.attempt = ending.attempt AND jobs.state = '{JobState.LEASED}'
    RETURNING id, failures
    """
)
END_ATTEMPTS = text(
    """
    UPDATE attempts SET outcome = CAST(ended.outcome AS outcome), ended_at = now(), error = ended.error,
           seconds = CAST(ended.seconds AS jsonb)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
         AS ended(job bigint, attempt int, outcome text, error text, seconds jsonb)
    WHERE attempts.job_id = ended.job AND attempts.attempt = ended.attempt
    """
)

NOTE_PROBLEM = text("UPDATE model_versions SET problem = :problem WHERE id = :id")
# A job that is held or put off is tried again and again, perhaps for days: one attempt tells as much as all of them.
FORGET_HELD = text(
    f"""
    DELETE FROM attempts USING attempts latest JOIN
        unnest(CAST(:jobs AS bigint[]), CAST(:attempts AS int[])) AS held(job, attempt)
        ON latest.job_id = held.job AND latest.attempt = held.attempt
    WHERE attempts.job_id = held.job AND attempts.attempt = held.attempt - 1
      AND attempts.outcome = '{AttemptOutcome.REQUEUED}' AND attempts.error = latest.error
    """
)


def write(connection: Connection, findings: Sequence[AttemptResult], policy: RetryPolicy) -> int:
    """Write what still holds; returns how many findings did. The caller commits.

    A finding whose model is no longer the active one keeps its predictions, but its job goes back undecided.
    """
    if not findings:
        return 0
    taxonomies = {f.job.taxonomy_id for f in findings}
    rows = connection.execute(ACTIVE, {"ids": list(taxonomies)}).all()
    active = {row.id: row.active_model_id for row in rows}
    connection.execute(LOCK_LISTINGS, {"ids": [f.job.listing_id for f in findings]})
    moved = {f.job.job_id for f in findings if active[f.job.taxonomy_id] != writes.model_id_of(f)}
    held = _end_jobs(connection, findings, moved, policy)
    kept = [f for f in findings if f.job.job_id in held]
    _end_attempts(connection, findings, held, moved)
    _bury_exhausted(connection, kept, held, moved, policy)
    known = {row.active_model_id: row.problem for row in rows}
    _note_problems(connection, [f for f in kept if f.job.job_id not in moved], known)
    # Room for more: without this the relay would look again only at its next interval.
    wake_relay(connection)
    writes.write_images(connection, kept)
    writes.write_predictions(connection, kept)
    writes.write_decisions(connection, [f for f in kept if f.job.job_id not in moved and f.decision is not None])
    return len(kept)


def _end_jobs(
    connection: Connection, findings: Sequence[AttemptResult], moved: set[int], policy: RetryPolicy
) -> dict[int, int]:
    """End or return each job; maps the ids whose fence held to their count of failures."""
    rows: list[tuple[str, str | None, int, float]] = []
    for f in findings:
        if f.job.job_id in moved:
            rows.append(("waiting", "another model was promoted meanwhile", 0, 0.0))
        elif f.held:
            note = f"held, since the active model cannot be read: {f.error}"
            rows.append(("waiting", storable(note), 0, f.retry_in or 0.0))
        elif f.put_off:
            rows.append(("waiting", storable(f.error), 0, f.retry_in or 0.0))
        elif f.retry_in is not None:
            rows.append(("waiting", storable(f.error), 1, f.retry_in * (1.0 - 0.1 * random.random())))
        else:
            rows.append(("done", storable(f.error), 0, 0.0))
    parameters: Mapping[str, Any] = {
        "jobs": [f.job.job_id for f in findings],
        "attempts": [f.job.attempt for f in findings],
        "states": [r[0] for r in rows],
        "notes": [r[1] for r in rows],
        "failed": [r[2] for r in rows],
        "delays": [r[3] for r in rows],
    }
    return {row.id: row.failures for row in connection.execute(END, parameters)}


def _end_attempts(
    connection: Connection, findings: Sequence[AttemptResult], held: Mapping[int, int], moved: set[int]
) -> None:
    rows = [
        {
            "job": f.job.job_id,
            "attempt": f.job.attempt,
            "outcome": _outcome(f, held, moved),
            "error": storable(f.error),
            "seconds": dict(f.seconds),
        }
        for f in findings
    ]
    connection.execute(END_ATTEMPTS, {"rows": json.dumps(rows)})


def _outcome(finding: AttemptResult, held: Mapping[int, int], moved: set[int]) -> str:
    if finding.job.job_id not in held:
        return "fenced"
    if finding.job.job_id in moved or finding.held or finding.put_off:
        return "requeued"
    return "done" if finding.retry_in is None else "retry"


def _bury_exhausted(
    connection: Connection, kept: Sequence[AttemptResult], held: Mapping[int, int], moved: set[int], policy: RetryPolicy
) -> None:
    for f in kept:
        failed = f.retry_in is not None and not f.held and not f.put_off and f.job.job_id not in moved
        if failed and held[f.job.job_id] >= policy.attempt_limit:
            reason = f"{policy.attempt_limit} attempts failed; the last: {f.error}"
            repository.bury(connection, [f.job.job_id], reason, f.error)


def _note_problems(
    connection: Connection, kept: Sequence[AttemptResult], known: Mapping[int | None, str | None]
) -> None:
    """Tell, with the model version, that this program cannot read it; forget it once it has answered after all."""
    found = {model_id: f.error if f.held else None for f in kept if (model_id := writes.model_id_of(f)) is not None}
    for model_id in sorted(found):
        problem = storable(found[model_id])
        if problem != known.get(model_id):
            connection.execute(NOTE_PROBLEM, {"id": model_id, "problem": problem})
    held = [f for f in kept if f.held or f.put_off]
    if held:
        connection.execute(
            FORGET_HELD, {"jobs": [f.job.job_id for f in held], "attempts": [f.job.attempt for f in held]}
        )
