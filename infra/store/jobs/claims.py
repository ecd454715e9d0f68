"""Claims of workers on jobs: taken by one conditional UPDATE, renewed while the worker lives, fenced at the end.

The end of a job and its results are committed together or not at all.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store import decisions
from infra.store.dead_letters import give_up
from infra.store.notify_channels import wake_relay
from infra.store.sql_fragments import reason_text, storable
from infra.store.studies import stages
from infra.store.taxonomies.queries import retired_paths
from pipeline.domain.claimed_job import AttemptResult, Claim, ClaimedJob, ClaimedLongJob, ImageToFetch, LongJobResult
from pipeline.domain.job import AttemptOutcome, JobKind, JobState, RetryCause, RetryPolicy
from pipeline.domain.listing import Content
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

CLAIM_JOBS = text(
    f"""
    WITH claimed AS (
        UPDATE jobs SET state = '{JobState.LEASED}', attempt = attempt + 1, worker = :worker, leased_at = now(),
               deadline = now() + make_interval(secs => :lease)
        WHERE id = ANY(:ids) AND state = '{JobState.SENT}'
        RETURNING id, kind, attempt, failures, listing_id, revision_id, payload
    ), added AS (
        INSERT INTO attempts (job_id, attempt, worker) SELECT id, attempt, :worker FROM claimed
    )
    SELECT * FROM claimed ORDER BY id
    """
)
SELECT_CONTENTS = text(
    """
    SELECT r.id, r.name, r.description, r.attributes, r.seller_category, s.taxonomy_id,
           m.id AS model_id, m.manifest->>'artefacts' AS version, m.manifest->'files' AS digests,
           (SELECT jsonb_agg(jsonb_build_array(i.id, i.reference, i.storage_key, p.listing_id IS NOT NULL)
                             ORDER BY i.position) FROM images i WHERE i.revision_id = r.id) AS images
    FROM revisions r JOIN listings l ON l.id = r.listing_id JOIN sources s ON s.id = l.source_id
    JOIN taxonomies t ON t.id = s.taxonomy_id LEFT JOIN model_versions m ON m.id = t.active_model_id
    LEFT JOIN provenances p ON p.listing_id = l.id WHERE r.id = ANY(:ids)
    """
)
RENEW_LEASES = text(
    f"""
    UPDATE jobs SET deadline = least(now() + make_interval(secs => :lease),
                                     leased_at + make_interval(secs => :hard))
    FROM unnest(CAST(:jobs AS bigint[]), CAST(:attempts AS int[])) AS claim(job, attempt)
    WHERE id = claim.job AND jobs.attempt = claim.attempt AND state = '{JobState.LEASED}'
    """
)
END_LONG_JOB = text(
    f"""
    UPDATE jobs SET state = CAST(:state AS job_state), deadline = NULL, note = :note,
           progress = CASE WHEN :state = '{JobState.DONE}' THEN 1 ELSE progress END,
           failures = failures + CASE WHEN :state = '{JobState.WAITING}' THEN 1 ELSE 0 END,
           ended_at = CASE WHEN :state = '{JobState.DONE}' THEN now() END,
           not_before = now() + make_interval(secs => least(:delay * 2.0 ^ least(failures, 60), :longest))
    WHERE id = :job AND attempt = :attempt AND state = '{JobState.LEASED}' RETURNING failures
    """
)
POSTPONE_JOB = text(
    f"""
    WITH postponed AS (
        UPDATE jobs SET state = '{JobState.WAITING}', deadline = NULL, note = :note,
               not_before = now() + make_interval(secs => :seconds)
        WHERE id = :job AND attempt = :attempt AND state = '{JobState.LEASED}' RETURNING id
    )
    UPDATE attempts SET outcome = '{AttemptOutcome.REQUEUED}', ended_at = now()
    FROM postponed WHERE job_id = postponed.id AND attempt = :attempt
    """
)
UPDATE_PROGRESS = text(
    "UPDATE jobs SET progress = :progress, note = :note "
    f"WHERE id = :job AND attempt = :attempt AND state = '{JobState.LEASED}'"
)
END_ATTEMPT = text(
    "UPDATE attempts SET outcome = CAST(:outcome AS outcome), ended_at = now(), error = :error "
    "WHERE job_id = :job AND attempt = :attempt"
)


class SqlClaims:
    """Implements ``pipeline.ports.repositories.Claims``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, job_ids: Sequence[int], worker: str, lease: float) -> list[ClaimedJob]:
        """Claim the jobs that are still ``sent``, and read their listings."""
        rows = self._connection.execute(CLAIM_JOBS, {"ids": list(job_ids), "worker": worker, "lease": lease}).all()
        jobs = [row for row in rows if row.kind == JobKind.CATEGORISE]
        contents = self._connection.execute(SELECT_CONTENTS, {"ids": [job.revision_id for job in jobs]})
        content_by_revision = {row.id: row for row in contents}
        retired = {
            taxonomy_id: retired_paths(self._connection, taxonomy_id)
            for taxonomy_id in {content.taxonomy_id for content in content_by_revision.values()}
        }
        return [_claimed_job(job, content_by_revision[job.revision_id], retired) for job in jobs]

    def renew(self, claims: Sequence[Claim], lease: float, hard_limit: float) -> None:
        """Extend the leases that still hold, but never beyond the hard limit, so that a hung worker loses them."""
        parameters = {
            "lease": lease,
            "hard": hard_limit,
            "jobs": [claim.job_id for claim in claims],
            "attempts": [claim.attempt for claim in claims],
        }
        self._connection.execute(RENEW_LEASES, parameters)

    def finish(self, results: Sequence[AttemptResult], policy: RetryPolicy) -> int:
        """Write the results whose claim still holds, all in this transaction."""
        return write_results(self._connection, results, policy)

    def claim_long_job(self, job_id: int, worker: str, lease: float) -> ClaimedLongJob | None:
        """Claim a long job if it is still ``sent``."""
        row = self._connection.execute(CLAIM_JOBS, {"ids": [job_id], "worker": worker, "lease": lease}).first()
        return None if row is None else ClaimedLongJob(row.id, row.attempt, JobKind(row.kind), row.payload)

    def report_progress(self, claim: Claim, progress: float, note: str) -> bool:
        """Write the progress of a long job; False when the claim no longer holds."""
        parameters = {
            "job": claim.job_id,
            "attempt": claim.attempt,
            "progress": min(max(progress, 0.0), 1.0),
            "note": note,
        }
        return self._connection.execute(UPDATE_PROGRESS, parameters).rowcount == 1

    def postpone(self, claim: Claim, note: str, seconds: float) -> bool:
        """Return a long job to ``waiting`` for ``seconds``, without counting a failure."""
        parameters = {"job": claim.job_id, "attempt": claim.attempt, "note": storable(note), "seconds": seconds}
        return self._connection.execute(POSTPONE_JOB, parameters).rowcount == 1

    def end_long_job(self, job: ClaimedLongJob, result: LongJobResult, policy: RetryPolicy) -> bool:
        """End a long job: done if there is no error, else ``waiting`` again, or dead if permanent or at the limit.

        The end of the last job of a study's stage begins the next stage in the same transaction.
        """
        study_id = stages.study_id_of(job)
        if study_id is not None:
            stages.lock_study(self._connection, study_id)
        failed = result.error is not None
        row = self._connection.execute(
            END_LONG_JOB,
            {
                "state": JobState.WAITING if failed else JobState.DONE,
                "note": reason_text(result.note),
                # The same delay as ``RetryPolicy.delay``; postponed attempts do not count as failures.
                "delay": policy.first_delay if failed else 0.0,
                "longest": policy.longest_delay,
                "job": job.job_id,
                "attempt": job.attempt,
            },
        ).first()
        if row is None:
            return False
        self._connection.execute(
            END_ATTEMPT,
            {
                "outcome": AttemptOutcome.FAILED if failed else AttemptOutcome.DONE,
                "error": storable(result.error),
                "job": job.job_id,
                "attempt": job.attempt,
            },
        )
        if failed and (result.permanent or row.failures >= policy.attempt_limit):
            give_up(self._connection, [job.job_id], result.note, result.error)
        if study_id is not None and stages.begin_next_stage(self._connection, study_id, job.job_id):
            wake_relay(self._connection)
        return True


def _claimed_job(job: Row[Any], content: Row[Any], retired: Mapping[int, frozenset[str]]) -> ClaimedJob:
    images = tuple(ImageToFetch(*image) for image in content.images or ())
    return ClaimedJob(
        job_id=job.id,
        attempt=job.attempt,
        failures=job.failures,
        listing_id=job.listing_id,
        revision_id=job.revision_id,
        taxonomy_id=content.taxonomy_id,
        content=Content(
            content.name,
            content.description,
            content.attributes,
            tuple(image.reference for image in images),
            content.seller_category,
        ),
        images=images,
        model=None if content.model_id is None else ActiveModel(content.model_id, content.version, content.digests),
        retired=retired[content.taxonomy_id],
    )


LOCK_ACTIVE_MODELS = text(
    """
    SELECT t.id, t.active_model_id, m.problem FROM taxonomies t LEFT JOIN model_versions m ON m.id = t.active_model_id
    WHERE t.id = ANY(:ids) ORDER BY t.id FOR SHARE OF t
    """
)
LOCK_LISTINGS = text("SELECT id FROM listings WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
# The fence: only the attempt that still holds the lease may end the job.
END_JOBS = text(
    f"""
    UPDATE jobs SET state = CAST(ending.state AS job_state), deadline = NULL, note = ending.note,
           failures = failures + ending.failed, not_before = now() + make_interval(secs => ending.delay),
           alone = alone AND ending.state = '{JobState.WAITING}',
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
UPDATE_MODEL_PROBLEM = text("UPDATE model_versions SET problem = :problem WHERE id = :id")
# A job that waits for a model or a host may be attempted for days: of consecutive equal attempts the last one is kept.
DELETE_REPEATED_ATTEMPTS = text(
    f"""
    DELETE FROM attempts USING attempts latest JOIN
        unnest(CAST(:jobs AS bigint[]), CAST(:attempts AS int[])) AS requeued(job, attempt)
        ON latest.job_id = requeued.job AND latest.attempt = requeued.attempt
    WHERE attempts.job_id = requeued.job AND attempts.attempt = requeued.attempt - 1
      AND attempts.outcome = '{AttemptOutcome.REQUEUED}' AND attempts.error = latest.error
    """
)


@dataclass(frozen=True, slots=True)
class JobEnding:
    """What an attempt makes of its job's row; ``delay`` in seconds."""

    state: JobState
    note: Reason | None = None
    failed: bool = False
    delay: float = 0.0


def write_results(connection: Connection, results: Sequence[AttemptResult], policy: RetryPolicy) -> int:
    """Write the results whose claim still holds; returns how many. The caller commits.

    The predictions of a model that is no longer active are written, too, but no decision: the job waits again.
    """
    if not results:
        return 0
    taxonomies = connection.execute(
        LOCK_ACTIVE_MODELS, {"ids": list({result.job.taxonomy_id for result in results})}
    ).all()
    active_models = {row.id: row.active_model_id for row in taxonomies}
    connection.execute(LOCK_LISTINGS, {"ids": [result.job.listing_id for result in results]})
    outdated = {result.job.job_id for result in results if active_models[result.job.taxonomy_id] != result.model_id}
    failures = _end_jobs(connection, results, outdated)
    _end_attempts(connection, results, set(failures), outdated)
    written = [result for result in results if result.job.job_id in failures]
    current = [result for result in written if result.job.job_id not in outdated]
    _give_up_failed_jobs(connection, current, failures, policy)
    _write_model_problems(connection, current, {row.active_model_id: row.problem for row in taxonomies})
    _delete_repeated_attempts(connection, current)
    # Workers have capacity again; the relay would otherwise poll only after its interval.
    wake_relay(connection)
    decisions.write_images(connection, written)
    decisions.write_predictions(connection, written)
    decisions.write_decisions(connection, [result for result in current if result.decision is not None])
    return len(written)


def _end_jobs(connection: Connection, results: Sequence[AttemptResult], outdated: set[int]) -> dict[int, int]:
    """End each job or return it to ``waiting``; the failure counts of the jobs whose claim held, by job id."""
    endings = [_job_ending(result, outdated=result.job.job_id in outdated) for result in results]
    parameters = {
        "jobs": [result.job.job_id for result in results],
        "attempts": [result.job.attempt for result in results],
        "states": [ending.state for ending in endings],
        "notes": [reason_text(ending.note) for ending in endings],
        "failed": [int(ending.failed) for ending in endings],
        "delays": [ending.delay for ending in endings],
    }
    return {row.id: row.failures for row in connection.execute(END_JOBS, parameters)}


def _job_ending(result: AttemptResult, *, outdated: bool) -> JobEnding:
    if outdated:
        return JobEnding(JobState.WAITING, Reason(ReasonCode.ANOTHER_MODEL))
    retry = result.retry
    if retry is None:
        return JobEnding(JobState.DONE)
    if retry.is_failure:
        delay = retry.seconds * (1.0 - 0.1 * random.random())
        return JobEnding(JobState.WAITING, retry.error, failed=True, delay=delay)
    unreadable = retry.cause is RetryCause.UNREADABLE_MODEL
    note = Reason.of(ReasonCode.MODEL_UNREADABLE, problem=retry.error) if unreadable else retry.error
    return JobEnding(JobState.WAITING, note, delay=retry.seconds)


def _end_attempts(
    connection: Connection, results: Sequence[AttemptResult], written: set[int], outdated: set[int]
) -> None:
    rows = [
        {
            "job": result.job.job_id,
            "attempt": result.job.attempt,
            "outcome": _outcome(result, written, outdated),
            "error": reason_text(result.retry.error) if result.retry else None,
            "seconds": dict(result.seconds),
        }
        for result in results
    ]
    connection.execute(END_ATTEMPTS, {"rows": json.dumps(rows)})


def _outcome(result: AttemptResult, written: set[int], outdated: set[int]) -> AttemptOutcome:
    if result.job.job_id not in written:
        return AttemptOutcome.FENCED
    if result.job.job_id in outdated:
        return AttemptOutcome.REQUEUED
    if result.retry is None:
        return AttemptOutcome.DONE
    return AttemptOutcome.RETRY if result.retry.is_failure else AttemptOutcome.REQUEUED


def _give_up_failed_jobs(
    connection: Connection, current: Sequence[AttemptResult], failures: Mapping[int, int], policy: RetryPolicy
) -> None:
    for result in current:
        retry = result.retry
        if retry and retry.is_failure and failures[result.job.job_id] >= policy.attempt_limit:
            reason = Reason.of(ReasonCode.ATTEMPTS_FAILED, n=policy.attempt_limit, error=retry.error)
            give_up(connection, [result.job.job_id], reason, reason_text(retry.error))


def _write_model_problems(
    connection: Connection, current: Sequence[AttemptResult], stored_problems: Mapping[int | None, str | None]
) -> None:
    """Write why this program cannot read a model version; clear it once the version could be read after all."""
    problems = {result.model_id: _model_problem(result) for result in current if result.model_id is not None}
    for model_id in sorted(problems):
        if problems[model_id] != stored_problems.get(model_id):
            connection.execute(UPDATE_MODEL_PROBLEM, {"id": model_id, "problem": problems[model_id]})


def _model_problem(result: AttemptResult) -> str | None:
    retry = result.retry
    return reason_text(retry.error) if retry and retry.cause is RetryCause.UNREADABLE_MODEL else None


def _delete_repeated_attempts(connection: Connection, current: Sequence[AttemptResult]) -> None:
    requeued = [result.job for result in current if result.retry and not result.retry.is_failure]
    if requeued:
        connection.execute(
            DELETE_REPEATED_ATTEMPTS,
            {"jobs": [job.job_id for job in requeued], "attempts": [job.attempt for job in requeued]},
        )
