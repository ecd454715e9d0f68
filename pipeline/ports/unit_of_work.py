"""Unit of work: one transaction over the repositories, through which use cases make all their writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pipeline.ports.administration_repositories import (
    CollectionRepository,
    DeadLetterRepository,
    KeyRepository,
    LongJobs,
    ModelRepository,
    RetentionRepository,
    RuleRepository,
    SourceRepository,
    TaxonomyRepository,
)
from pipeline.ports.repositories import (
    Claims,
    IdempotencyRepository,
    ImportDifferenceRepository,
    ImportPageRepository,
    ImportRepository,
    JobQueue,
    ListingRepository,
    Outbox,
    ProvenanceRepository,
    RevisionRepository,
    StudyRepository,
    Workers,
)


class IntakeUnit(Protocol):
    """The repositories that intake needs."""

    @property
    def listings(self) -> RevisionRepository:
        """Listings and revisions."""
        ...

    @property
    def outbox(self) -> JobQueue:
        """Jobs on their way to the broker."""
        ...


class ImportPageUnit(IntakeUnit, Protocol):
    """The repositories that the import of a page of rows needs."""

    @property
    def imports(self) -> ImportPageRepository:
        """Imports and their rows."""
        ...

    @property
    def provenances(self) -> ProvenanceRepository:
        """Provenances of collected listings."""
        ...


class UnitOfWork(Protocol):
    """One transaction, rolled back if the block ends without ``commit``."""

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
    def sources(self) -> SourceRepository:
        """Sources, their taxonomies and categories."""
        ...

    @property
    def taxonomies(self) -> TaxonomyRepository:
        """Taxonomies, and their categories with texts."""
        ...

    @property
    def rules(self) -> RuleRepository:
        """Rules of sources."""
        ...

    @property
    def collections(self) -> CollectionRepository:
        """Queries to product databases that run on a schedule."""
        ...

    @property
    def keys(self) -> KeyRepository:
        """API keys."""
        ...

    @property
    def models(self) -> ModelRepository:
        """Model versions."""
        ...

    @property
    def long_jobs(self) -> LongJobs:
        """Trainings, studies, imports from product databases, rule proposals, purges."""
        ...

    @property
    def dead_letters(self) -> DeadLetterRepository:
        """Jobs that failed for good."""
        ...

    @property
    def retention(self) -> RetentionRepository:
        """Rows and studies that have expired."""
        ...

    @property
    def idempotency(self) -> IdempotencyRepository:
        """Stored answers of idempotency keys."""
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
        """Provenances of collected listings."""
        ...

    @property
    def differences(self) -> ImportDifferenceRepository:
        """Differences of imports from the previous complete ones."""
        ...

    def __enter__(self) -> UnitOfWork: ...

    def __exit__(self, *exception: object) -> None: ...

    def commit(self) -> None:
        """Commit everything written since ``__enter__``."""
        ...


UnitsOfWork = Callable[[], UnitOfWork]
