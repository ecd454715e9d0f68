"""Claims of workers on jobs: taken by one conditional UPDATE, renewed while the worker lives, fenced at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from infra.store.dead_letters.repository import give_up
from infra.store.jobs.results import write_results
from infra.store.notifications import wake_relay
from infra.store.sql import reason_text, storable
from infra.store.studies import stages
from pipeline.domain.claimed_job import AttemptResult, Claim, ClaimedJob, ClaimedLongJob, ImageToFetch, LongJobResult
from pipeline.domain.job import AttemptOutcome, JobKind, JobState, RetryPolicy
from pipeline.domain.listing import Content
from pipeline.domain.model_version import ActiveModel

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
        """Claim those still ``sent``, and read their listings."""
        rows = self._connection.execute(CLAIM_JOBS, {"ids": list(job_ids), "worker": worker, "lease": lease}).all()
        jobs = [row for row in rows if row.kind == JobKind.CATEGORISE]
        contents = self._connection.execute(SELECT_CONTENTS, {"ids": [job.revision_id for job in jobs]})
        by_revision = {row.id: row for row in contents}
        return [_claimed_job(job, by_revision[job.revision_id]) for job in jobs]

    def renew(self, claims: Sequence[Claim], lease: float, hard_limit: float) -> None:
        """Extend the leases that still hold, never beyond the hard limit, so that a hung worker loses them."""
        parameters = {
            "lease": lease,
            "hard": hard_limit,
            "jobs": [claim.job_id for claim in claims],
            "attempts": [claim.attempt for claim in claims],
        }
        self._connection.execute(RENEW_LEASES, parameters)

    def finish(self, results: Sequence[AttemptResult], policy: RetryPolicy) -> int:
        """Write the results whose claim holds, all in this transaction."""
        return write_results(self._connection, results, policy)

    def claim_long_job(self, job_id: int, worker: str, lease: float) -> ClaimedLongJob | None:
        """Claim a long job if it is still ``sent``."""
        row = self._connection.execute(CLAIM_JOBS, {"ids": [job_id], "worker": worker, "lease": lease}).first()
        return None if row is None else ClaimedLongJob(row.id, row.attempt, JobKind(row.kind), row.payload)

    def report_progress(self, claim: Claim, progress: float, note: str) -> bool:
        """Write the progress of a long job; False when the claim does not hold."""
        parameters = {
            "job": claim.job_id,
            "attempt": claim.attempt,
            "progress": min(max(progress, 0.0), 1.0),
            "note": note,
        }
        return self._connection.execute(UPDATE_PROGRESS, parameters).rowcount == 1

    def postpone(self, claim: Claim, note: str, seconds: float) -> bool:
        """Return a long job to ``waiting`` for ``seconds``, without a failure."""
        parameters = {"job": claim.job_id, "attempt": claim.attempt, "note": storable(note), "seconds": seconds}
        return self._connection.execute(POSTPONE_JOB, parameters).rowcount == 1

    def end_long_job(self, job: ClaimedLongJob, result: LongJobResult, policy: RetryPolicy) -> bool:
        """End a long job: done without an error; else ``waiting`` again, or dead when permanent or at the limit.

        The last job of a study's stage begins the next stage in the same transaction.
        """
        study_id = stages.study_of(job)
        if study_id is not None:
            stages.lock(self._connection, study_id)
        failed = result.error is not None
        row = self._connection.execute(
            END_LONG_JOB,
            {
                "state": JobState.WAITING if failed else JobState.DONE,
                "note": reason_text(result.note),
                # As ``RetryPolicy.delay`` after so many failures; an attempt that was postponed is none.
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
        if study_id is not None and stages.settle(self._connection, study_id, job.job_id):
            wake_relay(self._connection)
        return True


def _claimed_job(job: Row[Any], content: Row[Any]) -> ClaimedJob:
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
    )
