"""Dead letters in memory."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.domain.job import OPEN_STATES, JobState, OpenDeadLetter
from tests.fakes.tables import StoredJob, Tables


class MemoryDeadLetters:
    """Implements ``pipeline.ports.administration_repositories.DeadLetterRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def lock_open(self, letter_ids: Sequence[int] | None, reason_contains: str | None) -> list[OpenDeadLetter]:
        """Letters that nobody replayed, except those whose revision has another open job."""
        found = []
        for letter in self._tables.dead_letters:
            job = self._tables.jobs[letter.job_id]
            chosen = letter_ids is None or letter.id in letter_ids
            matches = reason_contains is None or reason_contains.lower() in letter.reason.lower()
            open_ = not letter.replayed and job.state is JobState.DEAD and not self._has_open_job(job)
            if chosen and matches and open_:
                found.append(OpenDeadLetter(letter.id, job.id, job.revision_id, self._is_current(job)))
        return found

    def replay(self, letters: Sequence[OpenDeadLetter]) -> None:
        """Set the jobs of these letters waiting, and wake the relay."""
        for job in self._end(letters):
            job.state, job.note, job.not_before = JobState.WAITING, "replayed", self._tables.now
            job.failures, job.deaths_alone, job.alone = 0, 0, False
        self._tables.relay_notified += 1

    def supersede(self, letters: Sequence[OpenDeadLetter]) -> None:
        """End the jobs of these letters as superseded."""
        for job in self._end(letters):
            job.state, job.note = JobState.SUPERSEDED, "replayed"

    def _end(self, letters: Sequence[OpenDeadLetter]) -> list[StoredJob]:
        ids = {letter.id for letter in letters}
        for stored in self._tables.dead_letters:
            stored.replayed = stored.replayed or stored.id in ids
        return [self._tables.jobs[letter.job_id] for letter in letters]

    def _has_open_job(self, dead: StoredJob) -> bool:
        return dead.revision_id is not None and any(
            job.revision_id == dead.revision_id and job.state in OPEN_STATES for job in self._tables.jobs.values()
        )

    def _is_current(self, job: StoredJob) -> bool:
        if job.listing_id is None:
            return True
        listing = self._tables.listings[job.listing_id]
        return listing.revision_id == job.revision_id and not listing.withdrawn
