"""Repositories for listings, jobs, imports and studies. Their methods run in the transaction of their unit of work."""

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
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Content, Submission
from pipeline.domain.prediction import Modality
from pipeline.domain.product_source import Provenance, SourceCursor
from pipeline.domain.reason import Reason
from pipeline.domain.study import Candidate, Feasibility, SampleFacts, Stage, Study, StudyRequest
from pipeline.domain.study_report import Trial
from pipeline.domain.verdict import CurrentRevision


class RevisionRepository(Protocol):
    """The current revisions of listings, which can be read, locked, and replaced by newer ones."""

    def current(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """The current revisions of existing listings by external id, without locking or creating any."""
        ...

    def lock(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """Create missing listings, lock all in a fixed order, and return their current revisions by external id."""
        ...

    def add_revisions(self, source_id: int, changes: Sequence[tuple[CurrentRevision, Submission]]) -> list[int]:
        """Add a revision to each listing and make it current; returns the new ids in the same order."""
        ...


class ListingRepository(RevisionRepository, Protocol):
    """Listings and their revisions."""

    def withdraw(self, listing_id: int) -> bool:
        """Withdraw a listing under its lock; False if it is already withdrawn. Raises NotFound."""
        ...

    def withdraw_vanished(self, listing_ids: Sequence[int], import_id: int) -> list[int]:
        """Withdraw these listings, except those posted since the import began; returns the withdrawn ids."""
        ...

    def review(self, listing_id: int, category: str, reviewer: str, note: str) -> None:
        """Write a reviewer's category, which takes precedence over every model."""
        ...


class JobQueue(Protocol):
    """Jobs that categorise revisions, as intake adds and supersedes them."""

    def add(self, listing_ids: Sequence[int], revision_ids: Sequence[int], priority: Priority) -> None:
        """Add one waiting job per revision, and wake the relay at commit."""
        ...

    def supersede(self, listing_ids: Sequence[int], reason: str) -> int:
        """End all open jobs of these listings, including claimed ones; returns how many."""
        ...


class Outbox(JobQueue, Protocol):
    """Jobs to send to the broker; lost ones are returned to ``waiting``."""

    def take_batches(self, queue: Queue, policy: FlowPolicy) -> list[Batch]:
        """Mark the most urgent waiting jobs ``sent``, as many as the queue has room for, and group them in batches."""
        ...

    def requeue(self, job_ids: Sequence[int]) -> None:
        """Return ``sent`` jobs that could not be published to ``waiting``."""
        ...

    def sweep(self, policy: RetryPolicy) -> SweepCounts:
        """Return jobs past their deadline to ``waiting``; end those as ``dead`` whose worker died too often."""
        ...

    def wake_relay(self) -> None:
        """Wake the relay when the unit commits."""
        ...


class Claims(Protocol):
    """Jobs claimed by workers: claims are renewed during the work, and only a claim that holds can end the job."""

    def claim(self, job_ids: Sequence[int], worker: str, lease: float) -> list[ClaimedJob]:
        """Claim those of the jobs that are still ``sent``, for ``lease`` seconds."""
        ...

    def renew(self, claims: Sequence[Claim], lease: float, hard_limit: float) -> None:
        """Extend the leases of claims that still hold, up to ``hard_limit`` seconds after the claim."""
        ...

    def finish(self, results: Sequence[AttemptResult], policy: RetryPolicy) -> int:
        """Write the results whose claim still holds; returns how many."""
        ...

    def claim_long_job(self, job_id: int, worker: str, lease: float) -> ClaimedLongJob | None:
        """Claim a long job for ``lease`` seconds if it is still ``sent``."""
        ...

    def report_progress(self, claim: Claim, progress: float, note: str) -> bool:
        """Write the progress of a long job (0 to 1); returns False if the claim no longer holds."""
        ...

    def postpone(self, claim: Claim, note: str, seconds: float) -> bool:
        """Return a long job to ``waiting`` for ``seconds`` without a failure; False if the claim no longer holds."""
        ...

    def end_long_job(self, job: ClaimedLongJob, result: LongJobResult, policy: RetryPolicy) -> bool:
        """End a long job, or return it to ``waiting`` for a retry; returns False if the claim no longer holds."""
        ...


class Workers(Protocol):
    """The workers that are alive, by which the relay decides how many jobs to send."""

    def announce(self, worker: AnnouncedWorker) -> None:
        """Record that a worker is alive; wake the relay if it is new."""
        ...

    def remove(self, name: str) -> None:
        """Remove a worker that shuts down."""
        ...

    def report_speed(self, name: str, seconds_per_listing: float) -> None:
        """Update the running mean of the time that a worker takes per listing."""
        ...


# The answer stored for an idempotency key: a JSON object that only the use case which made it interprets.
StoredAnswer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """An idempotency key of an owner (the id of an API key), bound to the hash of the request's body."""

    owner: int
    key: str
    body_hash: str


class IdempotencyRepository(Protocol):
    """Stored answers to requests that may be repeated with the same key."""

    def claim(self, key: IdempotencyKey) -> StoredAnswer | None:
        """Claim a new key (returns None), or return its stored answer. A concurrent duplicate waits for the first.

        Raises IdempotencyKeyReused when the key was used with another request body.
        """
        ...

    def keep(self, key: IdempotencyKey, answer: StoredAnswer) -> None:
        """Store the answer of a claimed key."""
        ...


class StudyRepository(Protocol):
    """Studies and their trials. A stage begins when the jobs of the previous one end, see ``Claims.end_long_job``."""

    def read(self, study_id: int) -> Study:
        """The study; raises NotFound when there is none."""
        ...

    def begin(self, request: StudyRequest) -> Requested:
        """Begin a study, unless there is one with the same unique key or one running for the taxonomy."""
        ...

    def add_jobs(self, study_id: int, stage: Stage, names: Sequence[str | None], priority: Priority) -> None:
        """Add a waiting job of a stage for each name that has none yet, and wake the relay."""
        ...

    def taxonomies_to_study(self, min_listings: int) -> list[int]:
        """The taxonomies with at least ``min_listings`` labelled listings."""
        ...

    def candidates(self, taxonomy_id: int) -> list[Candidate]:
        """The labelled listings of a taxonomy."""
        ...

    def contents(self, revision_ids: Sequence[int]) -> list[Content]:
        """The texts of revisions, in the order of their ids; empty texts if the listing was deleted."""
        ...

    def freeze(self, study_id: int, sample: SampleFacts, extractors: Mapping[str, Modality]) -> None:
        """Write the facts of the sample, and the trials of these extractors as waiting."""
        ...

    def write_trials(self, study_id: int, trials: Sequence[Trial]) -> None:
        """Write the results of trials, replacing earlier ones."""
        ...

    def add_to_agenda(self, study_id: int, stage: Stage, names: Sequence[str]) -> None:
        """Write the names of the jobs of a later stage."""
        ...

    def conclude(self, study_id: int, verdict: Feasibility, best: Mapping[Modality, float | None]) -> None:
        """End a study with its verdict and the best ARI of each modality."""
        ...

    def fail(self, study_id: int, reason: Reason) -> None:
        """End a study that has nothing to report as failed."""
        ...


class ImportPageRepository(Protocol):
    """Writes the verdicts of an import page by page."""

    def add_page(self, import_id: int, rows: Sequence[RowVerdict], without_photo: int) -> None:
        """Write and count the verdicts of the next rows and move the cursor; Conflict if they are not the next."""
        ...


class ImportRepository(ImportPageRepository, Protocol):
    """Imports and the verdicts of their rows."""

    def lock(self, import_id: int) -> ImportRecord | None:
        """Lock an import, waiting for pending commits of a process that died; None if there is none."""
        ...

    def find_interrupted(self, request: ImportRequest) -> ImportRecord | None:
        """The last import of the same request, unless it is done.

        None for a file if anything else was imported into the source since, and for a query if the import stopped more
        than two days ago.
        """
        ...

    def find_in_progress(self, request: ImportRequest) -> int | None:
        """An import of the same request that a process is working on or a job will continue, or None."""
        ...

    def next_start(self, request: ImportRequest) -> SourceCursor | None:
        """The cursor at which the next import of the same request starts, as stored by the last finished one."""
        ...

    def begin(self, request: ImportRequest, start: SourceCursor | None = None) -> int | None:
        """Add a running import that starts at a source's cursor; None if its unique key is taken."""
        ...

    def reopen(self, import_id: int) -> None:
        """Set an import running again."""
        ...

    def fail_abandoned(self, source_id: int, note: str) -> None:
        """End the running imports into a source that no process is working on and no job will continue."""
        ...

    def end(self, import_id: int, status: ImportStatus, note: str | None = None) -> None:
        """End an import with this status."""
        ...

    def write_summary(self, import_id: int, summary: JsonObject) -> None:
        """Write the summary of what was read from a file."""
        ...

    def note_waiting(self, import_id: int, patience: float) -> bool:
        """Record that an import waits for its source; returns whether it has only waited for ``patience`` seconds."""
        ...

    def advance(self, run: ImportRun) -> None:
        """Write the progress and cursor of a run; raises Conflict when the import is not at ``run.row``."""
        ...

    def restart(self, import_id: int) -> ImportRun:
        """Delete the verdicts and cursor of a run, but not its listings; raises Conflict when it is not running."""
        ...

    def add_encoded_rows(
        self, source_id: int, import_id: int, rows: EncodedRows, following: SourceCursor | None = None
    ) -> PageCounts:
        """Import tens of thousands of rows at once, with the same result as ``import_page``.

        Writes listings, revisions, images, jobs of priority ``import``, provenances, verdicts, counts and the cursor
        (``{"row": last number, "following": following}``). A row whose external id the import already has is rejected
        ("same id as row 7"), or with ``latest_wins`` imported after the others. Raises Conflict when these are not the
        next rows.
        """
        ...


class ImportDifferenceRepository(Protocol):
    """Differences of a complete import from the previous complete import of the same query."""

    def record(self, import_id: int) -> None:
        """Write and count the products that vanished and those that came back.

        Nothing is written if that is unknown: for a file, for an import that is not done or not complete, without a
        previous complete import, and if verdicts of that one were purged.
        """
        ...

    def vanished_products(self, import_id: int) -> VanishedProducts:
        """The counts of the vanished products of an import; raises NotFound when there is no such import."""
        ...

    def withdrawable(self, import_id: int, after: int, limit: int) -> Sequence[VanishedListing]:
        """The next listings of vanished products that may be withdrawn, after row ``after`` of the previous import.

        Left out are listings that were posted since, and products that another import has imported since or that are in
        the last import of another query.
        """
        ...

    def count_not_withdrawn(self, import_id: int) -> int:
        """The number of listings of vanished products that are not withdrawn."""
        ...


class ImportLock(Protocol):
    """Holds imports for this process, so that no other process works on them."""

    def acquire(self, import_id: int) -> None:
        """Hold an import; raises Conflict when another process does not release it within a few seconds."""
        ...

    def release(self, import_id: int) -> None:
        """Release an import."""
        ...


# Opens a lock, which releases all its imports at the end of the block or of the process.
ImportLocks = Callable[[], AbstractContextManager[ImportLock]]


class ProvenanceRepository(Protocol):
    """The provenances of collected listings."""

    def save(self, provenances: Mapping[int, Provenance]) -> int:
        """Write the provenances (by listing id) that are new or changed; returns how many."""
        ...


class RowEncoder(Protocol):
    """Encodes rows for ``ImportRepository.add_encoded_rows``, without a transaction and in any thread."""

    def __call__(self, rows: Sequence[IncomingRow], *, latest_wins: bool) -> EncodedRows:
        """Encode one or more rows. ``latest_wins`` imports every row of an external id, not only the first."""
        ...
