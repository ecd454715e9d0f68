"""Repositories of a unit of work. Every method runs inside the unit's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.domain.claimed_job import AttemptResult, Claim, ClaimedJob, ClaimedLongJob, LongJobResult
from pipeline.domain.import_run import (
    EncodedRows,
    ImportRecord,
    ImportRequest,
    ImportRun,
    ImportStatus,
    IncomingRow,
    PageCounts,
    RowVerdict,
    VanishedListing,
    VanishedProducts,
)
from pipeline.domain.job import AnnouncedWorker, Batch, FlowPolicy, Priority, Queue, Requested, RetryPolicy, SweepCounts
from pipeline.domain.listing import Content, Submission
from pipeline.domain.prediction import Modality
from pipeline.domain.product_source import Provenance, SourceCursor
from pipeline.domain.reason import Reason
from pipeline.domain.study import Candidate, Feasibility, SampleFacts, Stage, Study, StudyRequest
from pipeline.domain.study_report import Trial
from pipeline.domain.verdict import CurrentRevision


class RevisionRepository(Protocol):
    """Current revisions of listings: read, locked, replaced by newer ones."""

    def current(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """The current revisions of the listings that exist, by external id; nothing is locked or created."""
        ...

    def lock(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """Create missing listings, lock all in one order everywhere, and return their current revisions."""
        ...

    def add_revisions(self, source_id: int, changes: Sequence[tuple[CurrentRevision, Submission]]) -> list[int]:
        """Append a revision to each listing and make it current; returns their ids in the same order."""
        ...


class ListingRepository(RevisionRepository, Protocol):
    """Listings and their revisions."""

    def withdraw(self, listing_id: int) -> bool:
        """Withdraw a listing under its lock; False when it is withdrawn already. Raises NotFound."""
        ...

    def withdraw_vanished(self, listing_ids: Sequence[int], import_id: int) -> list[int]:
        """Withdraw those of these listings that were not posted since the import began; returns their ids."""
        ...

    def review(self, listing_id: int, category: str, reviewer: str, note: str) -> None:
        """Write a person's category, which outranks every model."""
        ...


class JobQueue(Protocol):
    """Jobs that categorise revisions, as intake adds and ends them."""

    def add(self, listing_ids: Sequence[int], revision_ids: Sequence[int], priority: Priority) -> None:
        """Add one waiting job per revision, and wake the relay at commit."""
        ...

    def supersede(self, listing_ids: Sequence[int], reason: str) -> int:
        """End every open job of these listings, claimed or not; returns how many."""
        ...


class Outbox(JobQueue, Protocol):
    """Jobs on their way to the broker, returned to ``waiting`` when they get lost."""

    def take_batches(self, queue: Queue, policy: FlowPolicy) -> list[Batch]:
        """Mark the most urgent waiting jobs ``sent``, as many as the queue has room for, and group them."""
        ...

    def requeue(self, job_ids: Sequence[int]) -> None:
        """Return ``sent`` jobs that could not be published to ``waiting``."""
        ...

    def sweep(self, policy: RetryPolicy) -> SweepCounts:
        """Return jobs whose deadline has passed to ``waiting``; give up those that died alone too often."""
        ...

    def wake_relay(self) -> None:
        """Wake the relay when the unit commits."""
        ...


class Claims(Protocol):
    """Jobs claimed by workers: renewed while they work, and ended only by the claim that still holds."""

    def claim(self, job_ids: Sequence[int], worker: str, lease: float) -> list[ClaimedJob]:
        """Claim those of the jobs that are still ``sent``, for ``lease`` seconds."""
        ...

    def renew(self, claims: Sequence[Claim], lease: float, hard_limit: float) -> None:
        """Extend the leases of claims that still hold, up to ``hard_limit`` seconds after the claim."""
        ...

    def finish(self, results: Sequence[AttemptResult], policy: RetryPolicy) -> int:
        """Write the results whose claim holds; returns how many."""
        ...

    def claim_long_job(self, job_id: int, worker: str, lease: float) -> ClaimedLongJob | None:
        """Claim a long job for ``lease`` seconds if it is still ``sent``."""
        ...

    def report_progress(self, claim: Claim, progress: float, note: str) -> bool:
        """Write the progress of a long job (0 to 1); False when the claim does not hold."""
        ...

    def postpone(self, claim: Claim, note: str, seconds: float) -> bool:
        """Return a long job to ``waiting`` for ``seconds``, without a failure; False when the claim does not hold."""
        ...

    def end_long_job(self, job: ClaimedLongJob, result: LongJobResult, policy: RetryPolicy) -> bool:
        """End a long job, or return it to ``waiting``, or give it up; False when the claim does not hold."""
        ...


class Workers(Protocol):
    """The workers that are alive, from which the relay knows how much to send."""

    def announce(self, worker: AnnouncedWorker) -> None:
        """Write that a worker is alive; the first time, wake the relay."""
        ...

    def remove(self, name: str) -> None:
        """Remove a worker that ends on purpose."""
        ...

    def report_speed(self, name: str, seconds_per_listing: float) -> None:
        """Update the running mean of the time a worker takes for a listing."""
        ...


# The answer kept for a key: a JSON object, whose shape only the use case that made it knows.
StoredAnswer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key of one owner (an API key), bound to the hash of the request's body."""

    owner: int
    key: str
    body_hash: str


class IdempotencyRepository(Protocol):
    """Answers to requests that may be repeated with the same key."""

    def claim(self, key: IdempotencyKey) -> StoredAnswer | None:
        """Claim the key, or return the answer kept for it. A concurrent duplicate waits for the first to end.

        Raises IdempotencyKeyReused when the key was used with another request body.
        """
        ...

    def keep(self, key: IdempotencyKey, answer: StoredAnswer) -> None:
        """Keep the answer of a claimed key."""
        ...


class StudyRepository(Protocol):
    """Studies and their trials. The stages follow each other where their jobs end, see ``Claims.end_long_job``."""

    def read(self, study_id: int) -> Study:
        """A study; NotFound when there is none."""
        ...

    def begin(self, request: StudyRequest) -> Requested:
        """Begin a study, or find the one in its way: with the same unique key, or running for the same taxonomy."""
        ...

    def add_jobs(self, study_id: int, stage: Stage, names: Sequence[str | None], priority: Priority) -> None:
        """Add a waiting job of a stage for each name, except those that are there, and wake the relay."""
        ...

    def taxonomies_to_study(self, enough: int) -> list[int]:
        """The taxonomies with at least ``enough`` labelled listings."""
        ...

    def candidates(self, taxonomy_id: int) -> list[Candidate]:
        """The labelled listings of a taxonomy."""
        ...

    def contents(self, revision_ids: Sequence[int]) -> list[Content]:
        """The texts of revisions, in the order asked for; empty where the listing was deleted."""
        ...

    def freeze(self, study_id: int, sample: SampleFacts, extractors: Mapping[str, Modality]) -> None:
        """Write the sample, and the trials to come."""
        ...

    def write_trials(self, study_id: int, trials: Sequence[Trial]) -> None:
        """Write how trials ended; a trial that was written before is replaced."""
        ...

    def add_to_agenda(self, study_id: int, stage: Stage, names: Sequence[str]) -> None:
        """Write the names of the jobs that a later stage will have."""
        ...

    def conclude(self, study_id: int, verdict: Feasibility, best: Mapping[Modality, float | None]) -> None:
        """End a study with its verdict and the best ARI of each modality."""
        ...

    def fail(self, study_id: int, reason: Reason) -> None:
        """End a study that has nothing to report."""
        ...


class ImportPageRepository(Protocol):
    """Pages of rows, as an import adds them."""

    def add_page(self, import_id: int, rows: Sequence[RowVerdict], without_photo: int) -> None:
        """Write the verdicts of the next rows, count them and move the cursor; Conflict when they are not the next."""
        ...


class ImportRepository(ImportPageRepository, Protocol):
    """Imports and the verdicts of their rows."""

    def lock(self, import_id: int) -> ImportRecord | None:
        """The import, locked; None when there is none. Waits for pending commits of a process that died."""
        ...

    def find_interrupted(self, request: ImportRequest) -> ImportRecord | None:
        """The last import of the same request, unless it is done.

        Of a file it is None when anything else was imported into the source since; of a query, when it stopped more
        than two days ago.
        """
        ...

    def find_in_progress(self, request: ImportRequest) -> int | None:
        """An import of the same request that a process works on or that a job will continue, or None."""
        ...

    def next_start(self, request: ImportRequest) -> SourceCursor | None:
        """The cursor at which the last finished import of the same request lets the next one start, or None."""
        ...

    def begin(self, request: ImportRequest, start: SourceCursor | None = None) -> int | None:
        """Insert a running import that starts at a source's cursor; None when its unique key is taken."""
        ...

    def reopen(self, import_id: int) -> None:
        """Let an import run again."""
        ...

    def fail_abandoned(self, source_id: int, note: str) -> None:
        """End the running imports into a source that no process works on and no job will continue."""
        ...

    def end(self, import_id: int, status: ImportStatus, note: str | None = None) -> None:
        """Write how an import ended."""
        ...

    def note_waiting(self, import_id: int, patience: float) -> bool:
        """Write that an import waits for its source; whether it has done nothing else for ``patience`` seconds."""
        ...

    def advance(self, run: ImportRun) -> None:
        """Write the progress of a run and its source's cursor; Conflict when the import is not at ``run.row``."""
        ...

    def restart(self, import_id: int) -> ImportRun:
        """Forget the verdicts and the cursor of a run; its listings stay. Conflict when it is not running."""
        ...

    def add_encoded_rows(
        self, source_id: int, import_id: int, rows: EncodedRows, following: SourceCursor | None = None
    ) -> PageCounts:
        """Import tens of thousands of rows at once, with the result of ``import_page`` of them.

        Listings, revisions, images, jobs of priority ``import``, provenances, verdicts, counts and the cursor
        (``{"row": last number, "following": following}``). An external id that the import already has is rejected
        ("same id as row 7"); with ``latest_wins`` each row of it is imported in turn. Raises Conflict when they are not
        the next rows.
        """
        ...


class ImportDifferenceRepository(Protocol):
    """Differences of a complete import from the previous complete import of the same query."""

    def record(self, import_id: int) -> None:
        """Write and count the products that vanished and that came back.

        Nothing is written where that is unknown: for a file, for an import that is not done or not complete, without a
        complete import before it, and when verdicts of that one were purged.
        """
        ...

    def vanished_products(self, import_id: int) -> VanishedProducts:
        """The vanished products of an import, in numbers; NotFound when there is no such import."""
        ...

    def withdrawable(self, import_id: int, after: int, limit: int) -> Sequence[VanishedListing]:
        """The next listings of vanished products that may be withdrawn, beyond row ``after`` of the former import.

        Left out are listings that were posted since, and products that another import has imported since or that the
        last import of another query has.
        """
        ...

    def count_not_withdrawn(self, import_id: int) -> int:
        """The number of listings of vanished products that are not withdrawn."""
        ...


class ImportLock(Protocol):
    """Imports that this process holds, so that no other works on them."""

    def acquire(self, import_id: int) -> None:
        """Hold an import; Conflict when another process holds it and does not release it within a few seconds."""
        ...

    def release(self, import_id: int) -> None:
        """Release an import."""
        ...


# Opens a lock; when the block ends, or the process, everything it holds is free.
ImportLocks = Callable[[], AbstractContextManager[ImportLock]]


class ProvenanceRepository(Protocol):
    """The provenances of collected listings."""

    def save(self, provenances: Mapping[int, Provenance]) -> int:
        """Write those that are new or different, by listing; returns how many."""
        ...


class RowEncoder(Protocol):
    """Encodes rows for ``ImportRepository.add_encoded_rows``; needs no transaction, and may run in any thread."""

    def __call__(self, rows: Sequence[IncomingRow], *, latest_wins: bool) -> EncodedRows:
        """Encode at least one row. With ``latest_wins`` each row of an external id is imported, else the first."""
        ...
