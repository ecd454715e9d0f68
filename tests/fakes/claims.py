"""Claims of workers, and what their attempts write, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.claimed_job import (
    AttemptResult,
    Claim,
    ClaimedJob,
    ClaimedLongJob,
    ImageToFetch,
    LongJobResult,
)
from pipeline.domain.job import AttemptOutcome, JobKind, JobState, Retry, RetryCause, RetryPolicy
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from tests.fakes.jobs import give_up
from tests.fakes.tables import StoredAttempt, StoredJob, Tables


class MemoryClaims:
    """Implements ``pipeline.ports.repositories.Claims``, without the stages of studies."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def claim(self, job_ids: Sequence[int], worker: str, lease: float) -> list[ClaimedJob]:
        """Claim those still ``sent``."""
        jobs = [self._claim(self._tables.jobs[job_id], worker, lease) for job_id in sorted(set(job_ids))]
        return [self._claimed(job) for job in jobs if job is not None and job.kind is JobKind.CATEGORISE]

    def renew(self, claims: Sequence[Claim], lease: float, hard_limit: float) -> None:
        """Extend the leases that still hold, never beyond the hard limit."""
        for job in filter(None, map(self._held, claims)):
            job.deadline = min(self._tables.now + lease, job.leased_at + hard_limit)

    def finish(self, results: Sequence[AttemptResult], policy: RetryPolicy) -> int:
        """Write the results whose claim holds."""
        written = 0
        for result in results:
            job = self._held(result.job.claim)
            attempt = self._tables.attempts[result.job.job_id, result.job.attempt]
            attempt.error = str(result.retry.error) if result.retry else None
            attempt.seconds = result.seconds
            if job is None:
                attempt.outcome = AttemptOutcome.FENCED
                continue
            written += 1
            active = self._tables.active_models.get(result.job.taxonomy_id)
            outdated = result.model_id != (active.model_id if active else None)
            attempt.outcome = AttemptOutcome.REQUEUED if outdated else outcome_of(result.retry)
            self._write_images_and_predictions(result)
            if outdated:
                self._wait(job, Reason(ReasonCode.ANOTHER_MODEL), 0.0)
                continue
            self._end(job, result.retry, policy)
            self._delete_repeated_attempt(job)
            self._write_model_problem(result)
            self._write_decision(result)
        self._tables.relay_notified += bool(results)
        return written

    def claim_long_job(self, job_id: int, worker: str, lease: float) -> ClaimedLongJob | None:
        """Claim a long job if it is still ``sent``."""
        job = self._claim(self._tables.jobs[job_id], worker, lease)
        return None if job is None else ClaimedLongJob(job.id, job.attempt, job.kind, job.payload)

    def report_progress(self, claim: Claim, progress: float, note: str) -> bool:
        """Write the progress of a long job; False when the claim does not hold."""
        job = self._held(claim)
        if job is not None:
            job.progress, job.note = min(max(progress, 0.0), 1.0), note
        return job is not None

    def postpone(self, claim: Claim, note: str, seconds: float) -> bool:
        """Return a long job to ``waiting``, without a failure."""
        job = self._held(claim)
        if job is not None:
            self._tables.attempts[job.id, job.attempt].outcome = AttemptOutcome.REQUEUED
            self._wait(job, Reason.other(note), seconds)
        return job is not None

    def end_long_job(self, job: ClaimedLongJob, result: LongJobResult, policy: RetryPolicy) -> bool:
        """End a long job, or return it to ``waiting``, or give it up."""
        stored = self._held(job.claim)
        if stored is None:
            return False
        attempt = self._tables.attempts[job.job_id, job.attempt]
        attempt.error = result.error
        if result.error is None:
            attempt.outcome = AttemptOutcome.DONE
            stored.state, stored.deadline, stored.note, stored.progress = JobState.DONE, None, str(result.note), 1.0
            return True
        attempt.outcome = AttemptOutcome.FAILED
        self._wait(stored, result.note, min(policy.first_delay * 2.0**stored.failures, policy.longest_delay))
        stored.failures += 1
        if result.permanent or stored.failures >= policy.attempt_limit:
            give_up(self._tables, stored, result.note)
        return True

    def _claim(self, job: StoredJob, worker: str, lease: float) -> StoredJob | None:
        if job.state is not JobState.SENT:
            return None
        job.state, job.attempt = JobState.LEASED, job.attempt + 1
        job.leased_at, job.deadline, job.worker = self._tables.now, self._tables.now + lease, worker
        self._tables.attempts[job.id, job.attempt] = StoredAttempt(job.id, job.attempt, worker)
        return job

    def _claimed(self, job: StoredJob) -> ClaimedJob:
        assert job.listing_id is not None
        assert job.revision_id is not None
        source = self._tables.sources[self._tables.listings[job.listing_id].source_id]
        images = tuple(
            ImageToFetch(image.id, image.reference, image.storage_key, job.listing_id in self._tables.provenances)
            for image in self._tables.images.values()
            if image.revision_id == job.revision_id
        )
        return ClaimedJob(
            job.id,
            job.attempt,
            job.failures,
            job.listing_id,
            job.revision_id,
            source.taxonomy_id,
            self._tables.revisions[job.revision_id].content,
            images,
            self._tables.active_models.get(source.taxonomy_id),
            frozenset(self._tables.retired.get(source.taxonomy_id, ())),
        )

    def _held(self, claim: Claim) -> StoredJob | None:
        job = self._tables.jobs[claim.job_id]
        return job if job.state is JobState.LEASED and job.attempt == claim.attempt else None

    def _wait(self, job: StoredJob, note: Reason, seconds: float) -> None:
        job.state, job.deadline, job.note = JobState.WAITING, None, str(note)
        job.not_before = self._tables.now + seconds

    def _end(self, job: StoredJob, retry: Retry | None, policy: RetryPolicy) -> None:
        if retry is None:
            job.state, job.deadline, job.note = JobState.DONE, None, None
            return
        unreadable = retry.cause is RetryCause.UNREADABLE_MODEL
        note = Reason.of(ReasonCode.MODEL_UNREADABLE, problem=retry.error) if unreadable else retry.error
        self._wait(job, note, retry.seconds)
        job.failures += retry.is_failure
        if retry.is_failure and job.failures >= policy.attempt_limit:
            reason = Reason.of(ReasonCode.ATTEMPTS_FAILED, n=policy.attempt_limit, error=retry.error)
            give_up(self._tables, job, reason)

    def _delete_repeated_attempt(self, job: StoredJob) -> None:
        """Of equal attempts in a row that counted no failure the last is kept."""
        latest = self._tables.attempts[job.id, job.attempt]
        former = self._tables.attempts.get((job.id, job.attempt - 1))
        if former and latest.outcome is former.outcome is AttemptOutcome.REQUEUED and latest.error == former.error:
            del self._tables.attempts[job.id, job.attempt - 1]

    def _write_images_and_predictions(self, result: AttemptResult) -> None:
        for fetched in result.images:
            image = self._tables.images[fetched.image_id]
            image.status, image.storage_key = fetched.status, fetched.storage_key
            image.reason = None if fetched.reason is None else str(fetched.reason)
        for prediction in result.predictions:
            key = (result.job.revision_id, result.model_id, prediction.modality)
            self._tables.predictions[key] = prediction

    def _write_model_problem(self, result: AttemptResult) -> None:
        if result.model_id is not None:
            retry = result.retry
            unreadable = retry is not None and retry.cause is RetryCause.UNREADABLE_MODEL
            self._tables.model_problems[result.model_id] = str(retry.error) if retry and unreadable else None

    def _write_decision(self, result: AttemptResult) -> None:
        decision, key = result.decision, (result.job.revision_id, result.model_id)
        if decision is None:
            return
        former = self._tables.decisions.get(key)
        by_names_anew = former is not None and result.model_id is None and former.category != decision.category
        if former is None or former.provisional or by_names_anew:
            self._tables.decisions[key] = decision
            self._tables.events.append(("listing_decided", result.job.listing_id))
        listing = self._tables.listings[result.job.listing_id]
        if listing.revision_id == result.job.revision_id and not listing.withdrawn and not listing.reviewed:
            listing.status, listing.category = decision.status.value, decision.category


def outcome_of(retry: Retry | None) -> AttemptOutcome:
    """How an attempt that held its claim ended."""
    if retry is None:
        return AttemptOutcome.DONE
    return AttemptOutcome.RETRY if retry.is_failure else AttemptOutcome.REQUEUED
