"""The record: repositories, and the unit of work that is one transaction over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pipeline.domain.batch import Batch
from pipeline.domain.claimed_job import (
    AttemptResult,
    Claim,
    ClaimedJob,
    ClaimedLongJob,
    LongJobResult,
)
from pipeline.domain.idempotency import IdempotencyKey
from pipeline.domain.import_run import EncodedRows, ImportRow, ImportRun, RowVerdict
from pipeline.domain.job import AnnouncedWorker, FlowPolicy, Priority, Queue, RetryPolicy, SweepCounts
from pipeline.domain.listing import Content, CurrentRevision, Submission, Verdict
from pipeline.domain.prediction import Modality
from pipeline.domain.product_source import Provenance, SourceCursor
from pipeline.domain.study import Candidate, Feasibility, Stage, Study, StudyPlan


class ListingRepository(Protocol):
    """Listings and their revisions. Methods run inside the unit's transaction."""

    def known(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """The current revisions of those that are there, as they stand at this moment; nothing is locked or made."""
        ...

    def lock(self, source_id: int, external_ids: Sequence[str]) -> dict[str, CurrentRevision]:
        """Create what is missing, lock all (in one order everywhere), and return their current revisions."""
        ...

    def add_revisions(self, source_id: int, changes: Sequence[tuple[CurrentRevision, Submission]]) -> list[int]:
        """Append a revision each and make it current; returns the revisions' ids in the same order."""
        ...

    def withdraw(self, listing_id: int) -> bool:
        """Mark withdrawn, under its lock; False when it already is. NotFound when there is none."""
        ...

    def review(self, listing_id: int, category: str, reviewer: str, note: str) -> None:
        """Write a person's category, which outranks every model."""
        ...


class Outbox(Protocol):
    """Jobs on their way to the broker, and back when they get lost."""

    def add(self, listing_ids: Sequence[int], revision_ids: Sequence[int], priority: Priority) -> None:
        """Add one waiting job per revision, and wake the relay at commit."""
        ...

    def supersede(self, listing_ids: Sequence[int], reason: str) -> int:
        """End every open job of these listings, claimed or not; returns how many."""
        ...

    def take_batches(self, queue: Queue, policy: FlowPolicy) -> list[Batch]:
        """Mark the most urgent waiting jobs ``sent``, as many as the queue has room for, and group them."""
        ...

    def requeue(self, job_ids: Sequence[int]) -> None:
        """Return ``sent`` jobs that could not be published to ``waiting``."""
        ...

    def sweep(self, policy: RetryPolicy) -> SweepCounts:
        """Return jobs whose deadline has passed to ``waiting``; give up those that died alone too often."""
        ...

    def replay(self, letter_ids: Sequence[int] | None, reason_contains: str | None) -> int:
        """Return the jobs of these open dead letters to ``waiting``; returns how many."""
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


class ModelRepository(Protocol):
    """Model versions and the pointer to the active one."""

    def promote(self, model_id: int) -> int:
        """Make active, retire the former, requeue what it should decide; returns how many were requeued."""
        ...

    def rollback(self, taxonomy_id: int) -> int:
        """Promote the version that was active before; returns its id. Conflict when there is none."""
        ...


class IdempotencyRepository(Protocol):
    """Answers to remember."""

    def claim(self, once: IdempotencyKey) -> dict[str, Any] | None:
        """Take the key (a concurrent duplicate waits), or return the remembered answer. Conflict on another body."""
        ...

    def keep(self, once: IdempotencyKey, answer: Mapping[str, Any]) -> None:
        """Remember the answer in the same transaction."""
        ...


class StudyRepository(Protocol):
    """Studies and their trials. The stages follow each other where their jobs end, see ``Claims.end_long_job``."""

    def read(self, study_id: int) -> Study:
        """A study; NotFound when there is none."""
        ...

    def begin_due(self, plan: StudyPlan, period: int, enough: int) -> list[int]:
        """Begin a study of every taxonomy with ``enough`` labelled listings that has none of the period, or running."""
        ...

    def candidates(self, taxonomy_id: int) -> list[Candidate]:
        """The labelled listings of a taxonomy."""
        ...

    def contents(self, revision_ids: Sequence[int]) -> list[Content]:
        """The texts of revisions, in the order asked for; empty where the listing was deleted."""
        ...

    def freeze(self, study_id: int, facts: Mapping[str, Any], extractors: Mapping[str, Modality]) -> None:
        """Write what is studied (fingerprint, level, categories, listings, studied) and the trials to come."""
        ...

    def write_trials(self, study_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write how trials ended, as rows of the report."""
        ...

    def add_to_agenda(self, study_id: int, stage: Stage, names: Sequence[str]) -> None:
        """Name the jobs that a later stage will have."""
        ...

    def conclude(self, study_id: int, verdict: Feasibility, best: Mapping[str, float | None]) -> None:
        """End a study with its verdict and the best ARI of each modality."""
        ...

    def fail(self, study_id: int, error: str) -> None:
        """End a study of which nothing can be had."""
        ...


class ImportRepository(Protocol):
    """Imports and the verdicts of their rows."""

    def add_page(self, import_id: int, rows: Sequence[RowVerdict], without_photo: int) -> None:
        """Write the verdicts of the next rows, count them and move the cursor; Conflict when they are not the next."""
        ...

    def go_on(self, run: ImportRun) -> None:
        """Write how far a run is, with where its source goes on; Conflict when it does not stand at ``run.row``."""
        ...

    def begin_anew(self, import_id: int) -> ImportRun:
        """Forget the verdicts and the place of a run; what was taken in stays. Conflict when it is not running."""
        ...

    def take_in(
        self,
        source_id: int,
        import_id: int,
        rows: EncodedRows,
        following: SourceCursor | None = None,
    ) -> tuple[Counter[Verdict], int]:
        """Take the next rows in, tens of thousands at once: what ``intake.accept_in`` and ``add_page`` would do.

        Listings, revisions, images, jobs of priority ``import``, provenances, verdicts, counts and the cursor
        (``{"row": the last number, "following": following}``), within the unit's transaction. An id that the import
        has met before is rejected ("same id as row 7"); where the ``latest_wins``, each row of it is taken in turn.
        Returns the counts of this page's verdicts, and how many were accepted without a photo; Conflict when they are
        not the next rows.
        """
        ...


class ProvenanceRepository(Protocol):
    """Where listings come from."""

    def keep(self, provenances: Mapping[int, Provenance]) -> int:
        """Write what is new or different, by listing; returns how many were."""
        ...


class UnitOfWork(Protocol):
    """One transaction; leaving without ``commit`` rolls back."""

    @property
    def listings(self) -> ListingRepository:
        """Listings and revisions."""
        ...

    @property
    def outbox(self) -> Outbox:
        """Jobs on their way to the broker."""
        ...

    @property
    def claims(self) -> Claims:
        """Jobs claimed by workers."""
        ...

    @property
    def workers(self) -> Workers:
        """The workers that are alive."""
        ...

    @property
    def models(self) -> ModelRepository:
        """Model versions."""
        ...

    @property
    def idempotency(self) -> IdempotencyRepository:
        """Remembered answers."""
        ...

    @property
    def studies(self) -> StudyRepository:
        """Studies and trials."""
        ...

    @property
    def imports(self) -> ImportRepository:
        """Imports and their rows."""
        ...

    @property
    def provenances(self) -> ProvenanceRepository:
        """Where listings come from."""
        ...

    def __enter__(self) -> UnitOfWork: ...

    def __exit__(self, *exception: object) -> None: ...

    def commit(self) -> None:
        """Make everything since ``__enter__`` durable."""
        ...


UnitsOfWork = Callable[[], UnitOfWork]

# Makes rows ready to be taken in: without a transaction, in any thread. The second says that the latest row of an id
# wins, as in ``ImportRepository.take_in``.
Press = Callable[[Sequence[ImportRow], bool], EncodedRows]
