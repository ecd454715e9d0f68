"""Long jobs and what expires, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.domain.claimed_job import ClaimedLongJob
from pipeline.domain.job import OPEN_STATES, JobKind, JobState, Priority
from pipeline.domain.retention import ExpiringRows
from pipeline.domain.study import StudyStatus
from tests.fakes.tables import StoredJob, Tables


class MemoryLongJobs:
    """Implements ``pipeline.ports.administration_repositories.LongJobs``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(
        self,
        kind: JobKind,
        payload: Mapping[str, Any],
        *,
        unique_key: str | None = None,
        priority: Priority = Priority.PIPELINE,
    ) -> int | None:
        """Add a waiting job; None when the unique key is taken."""
        if unique_key is not None and unique_key in {job.unique_key for job in self._tables.jobs.values()}:
            return None
        job = StoredJob(self._tables.next_id(), kind, priority, payload=dict(payload), unique_key=unique_key)
        job.created_at = job.not_before = self._tables.now
        self._tables.jobs[job.id] = job
        self._tables.relay_notified += 1
        return job.id

    def find_open_training(self, taxonomy_id: int) -> int | None:
        """The open training of a taxonomy."""
        for job in self._tables.jobs.values():
            trains = job.kind is JobKind.TRAIN and job.payload.get("taxonomy_id") == taxonomy_id
            if trains and job.state in OPEN_STATES:
                return job.id
        return None

    def cancel_training(self, job_id: int, note: str) -> bool:
        """End an open training."""
        job = self._tables.jobs.get(job_id)
        if job is None or job.kind is not JobKind.TRAIN or job.state not in OPEN_STATES:
            return False
        job.state, job.deadline, job.note = JobState.SUPERSEDED, None, note
        return True

    def mark_sent(self, job_id: int, deadline: float) -> bool:
        """Mark a waiting job ``sent``; False when it is not waiting."""
        job = self._tables.jobs[job_id]
        if job.state is not JobState.WAITING:
            return False
        job.state, job.deadline = JobState.SENT, self._tables.now + deadline
        return True

    def reset_failures(self, job: ClaimedLongJob) -> None:
        """Forget the failures of a job that has made progress."""
        stored = self._tables.jobs[job.job_id]
        if stored.attempt == job.attempt and stored.state is JobState.LEASED:
            stored.failures, stored.deaths_alone = 0, 0


class MemoryRetention:
    """Implements ``pipeline.ports.administration_repositories.RetentionRepository`` on ages in days."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def delete_expired(self, rows: ExpiringRows, days: int, limit: int) -> int:
        """Delete at most ``limit`` of these rows that are older than ``days``."""
        ages = self._tables.expiring.get(rows, [])
        expired = [age for age in ages if age > days][:limit]
        for age in expired:
            ages.remove(age)
        return len(expired)

    def expired_studies(self, days: int) -> list[int]:
        """Studies that ended more than ``days`` ago and have a later one of their taxonomy that is done."""
        studies = self._tables.studies.values()
        done = {(study.request.taxonomy_id, study.id) for study in studies if study.status is StudyStatus.DONE}
        return [
            study.id
            for study in studies
            if study.days_ended > days
            and any(taxonomy_id == study.request.taxonomy_id and later > study.id for taxonomy_id, later in done)
        ]

    def delete_study(self, study_id: int) -> None:
        """Delete a study."""
        del self._tables.studies[study_id]
