"""Jobs in the hands of a worker: claimed by one conditional UPDATE, renewed while alive, fenced when they end."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from infra.store.dead_letters import repository
from infra.store.jobs import results
from infra.store.notifications import wake_relay
from infra.store.sql import storable
from infra.store.studies import stages
from pipeline.domain.claimed_job import AttemptResult, ClaimedJob, ClaimedLongJob, ImageToFetch
from pipeline.domain.job import AttemptOutcome, JobKind, JobState, RetryPolicy
from pipeline.domain.listing import Content
from pipeline.domain.model_version import ActiveModel

CLAIM = text(
    f"""
    WITH claimed AS (
        UPDATE jobs SET state = '{JobState.LEASED}', attempt = attempt + 1, worker = :worker, leased_at = now(),
               deadline = now() + make_interval(secs => :lease)
        WHERE id = ANY(:ids) AND state = '{JobState.SENT}'
        RETURNING id, kind, attempt, failures, listing_id, revision_id, payload
    ), noted AS (
        INSERT INTO attempts (job_id, attempt, worker) SELECT id, attempt, :worker FROM claimed
    )
    SELECT * FROM claimed ORDER BY id
    """
)
CONTENTS = text(
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
RENEW = text(
    f"""
    UPDATE jobs SET deadline = least(now() + make_interval(secs => :lease),
                                     leased_at + make_interval(secs => :hard))
    FROM unnest(CAST(:jobs AS bigint[]), CAST(:attempts AS int[])) AS held(job, attempt)
    WHERE id = held.job AND jobs.attempt = held.attempt AND state = '{JobState.LEASED}'
    """
)
END_RUN = text(
    f"""
    UPDATE jobs SET state = CAST(:state AS job_state), deadline = NULL, note = :note,
           progress = CASE WHEN :state = '{JobState.DONE}' THEN 1 ELSE progress END,
           failures = failures + CASE WHEN :state = '{JobState.WAITING}' THEN 1 ELSE 0 END,
           ended_at = CASE WHEN :state = '{JobState.DONE}' THEN now() END,
           not_before = now() + make_interval(secs => least(:delay * 2.0 ^ least(failures, 60), :longest))
    WHERE id = :job AND attempt = :attempt AND state = '{JobState.LEASED}' RETURNING failures
    """
)
PUT_OFF = text(
    f"""
    WITH put AS (
        UPDATE jobs SET state = '{JobState.WAITING}', deadline = NULL, note = :note,
               not_before = now() + make_interval(secs => :seconds)
        WHERE id = :job AND attempt = :attempt AND state = '{JobState.LEASED}' RETURNING id
    )
    UPDATE attempts SET outcome = '{AttemptOutcome.REQUEUED}', ended_at = now()
    FROM put WHERE job_id = put.id AND attempt = :attempt
    """
)


class SqlClaims:
    """Implements ``pipeline.ports.repositories.Claims``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, job_ids: Sequence[int], worker: str, lease: float) -> list[ClaimedJob]:
        """Claim those still ``sent``, and read what they are about."""
        rows = self._connection.execute(CLAIM, {"ids": list(job_ids), "worker": worker, "lease": lease}).all()
        jobs = [row for row in rows if row.kind == JobKind.CATEGORISE]
        found = self._connection.execute(CONTENTS, {"ids": [row.revision_id for row in jobs]}).all()
        contents = {row.id: row for row in found}
        claimed = []
        for job in jobs:
            row = contents[job.revision_id]
            images = tuple(ImageToFetch(*image) for image in row.images or ())
            content = Content(
                row.name, row.description, row.attributes, tuple(i.reference for i in images), row.seller_category
            )
            model = ActiveModel(row.model_id, row.version, row.digests) if row.model_id is not None else None
            claimed.append(
                ClaimedJob(
                    job.id,
                    job.attempt,
                    job.failures,
                    job.listing_id,
                    job.revision_id,
                    row.taxonomy_id,
                    content,
                    images,
                    model,
                )
            )
        return claimed

    def claim_run(self, job_id: int, worker: str, lease: float) -> ClaimedLongJob | None:
        """Claim a long job if it is still ``sent``."""
        row = self._connection.execute(CLAIM, {"ids": [job_id], "worker": worker, "lease": lease}).first()
        return None if row is None else ClaimedLongJob(row.id, row.attempt, JobKind(row.kind), row.payload)

    def renew(self, claims: Sequence[tuple[int, int]], lease: float, hard_limit: float) -> None:
        """Extend the leases that still hold; never beyond the hard limit, so that a hung worker loses them."""
        self._connection.execute(
            RENEW,
            {"lease": lease, "hard": hard_limit, "jobs": [j for j, _ in claims], "attempts": [a for _, a in claims]},
        )

    def finish(self, found: Sequence[AttemptResult], policy: RetryPolicy) -> int:
        """Write findings whose fence holds, all in this transaction."""
        return results.write(self._connection, found, policy)

    def report(self, run: ClaimedLongJob, progress: float, note: str) -> bool:
        """Write how far a run is; False when it is no longer ours."""
        updated = self._connection.execute(
            text(
                "UPDATE jobs SET progress = :progress, note = :note "
                f"WHERE id = :job AND attempt = :attempt AND state = '{JobState.LEASED}'"
            ),
            {"progress": min(max(progress, 0.0), 1.0), "note": note, "job": run.job_id, "attempt": run.attempt},
        )
        return updated.rowcount == 1

    def put_off(self, run: ClaimedLongJob, note: str, seconds: float) -> bool:
        """Give a run back that is to go on in so many seconds; nothing is counted against it."""
        wanted = {"note": storable(note), "seconds": seconds, "job": run.job_id, "attempt": run.attempt}
        return self._connection.execute(PUT_OFF, wanted).rowcount == 1

    def end_run(self, run: ClaimedLongJob, note: str, error: str | None, permanent: bool, policy: RetryPolicy) -> bool:
        """End a run: done without ``error``; else waiting again, or dead when it is permanent or at the limit.

        The last one of a study's stage begins the next stage in the same transaction.
        """
        study_id = stages.study_of(run)
        if study_id is not None:
            stages.lock(self._connection, study_id)
        state = "done" if error is None else "waiting"
        row = self._connection.execute(
            END_RUN,
            {
                "state": state,
                "note": storable(note),
                # As ``policy.delay`` after so many failures; an attempt that was put off is none.
                "delay": policy.first_delay if error else 0.0,
                "longest": policy.longest_delay,
                "job": run.job_id,
                "attempt": run.attempt,
            },
        ).first()
        if row is None:
            return False
        outcome = "done" if error is None else "failed"
        self._connection.execute(
            text(
                "UPDATE attempts SET outcome = CAST(:outcome AS outcome), ended_at = now(), error = :error "
                "WHERE job_id = :job AND attempt = :attempt"
            ),
            {"outcome": outcome, "error": storable(error), "job": run.job_id, "attempt": run.attempt},
        )
        if error is not None and (permanent or row.failures >= policy.attempt_limit):
            repository.bury(self._connection, [run.job_id], note, error)
        if study_id is not None and stages.settle(self._connection, study_id, run.job_id):
            wake_relay(self._connection)
        return True
