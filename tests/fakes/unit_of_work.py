"""The in-memory store, and its unit of work: a copy of the tables that replaces them at commit."""

from __future__ import annotations

import copy

from pipeline.domain.import_run import ImportRequest, ImportRun
from pipeline.domain.job import JobKind, Priority
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.source import Source
from pipeline.ports.repositories import ImportLocks
from pipeline.ports.unit_of_work import UnitsOfWork
from tests.fakes.claims import MemoryClaims
from tests.fakes.collections import MemoryCollections
from tests.fakes.dead_letters import MemoryDeadLetters
from tests.fakes.imports import MemoryImportDifferences, MemoryImports, open_memory_lock
from tests.fakes.jobs import MemoryOutbox, MemoryWorkers
from tests.fakes.keys import MemoryKeys
from tests.fakes.listings import MemoryIdempotency, MemoryListings, MemoryProvenances
from tests.fakes.long_jobs import MemoryLongJobs, MemoryRetention
from tests.fakes.models import MemoryModels
from tests.fakes.rules import MemoryRules
from tests.fakes.sources import MemorySources
from tests.fakes.studies import MemoryStudies
from tests.fakes.tables import StoredImport, StoredJob, Tables
from tests.fakes.taxonomies import MemoryTaxonomies


class MemoryUnitOfWork:
    """Implements ``pipeline.ports.unit_of_work.UnitOfWork`` for one unit at a time."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._tables: Tables | None = None

    def __enter__(self) -> MemoryUnitOfWork:
        self._tables = copy.deepcopy(self._store.tables)
        return self

    def __exit__(self, *exception: object) -> None:
        self._tables = None

    def commit(self) -> None:
        """Make everything written since ``__enter__`` visible to other units."""
        if self._store.fails:
            self._store.fails = False
            raise ConnectionError("the database is away")
        self._store.tables = copy.deepcopy(self.tables)
        self._store.commits += 1

    @property
    def tables(self) -> Tables:
        """The unit's own copy; RuntimeError outside the ``with`` block."""
        if self._tables is None:
            raise RuntimeError("a unit of work can be used only inside its with block")
        return self._tables

    @property
    def listings(self) -> MemoryListings:
        """Listings and revisions."""
        return MemoryListings(self.tables, self._store.locked)

    @property
    def outbox(self) -> MemoryOutbox:
        """Jobs on their way to the broker."""
        return MemoryOutbox(self.tables)

    @property
    def claims(self) -> MemoryClaims:
        """Jobs claimed by workers."""
        return MemoryClaims(self.tables)

    @property
    def workers(self) -> MemoryWorkers:
        """The workers that are alive."""
        return MemoryWorkers(self.tables)

    @property
    def sources(self) -> MemorySources:
        """Sources, their taxonomies and categories."""
        return MemorySources(self.tables)

    @property
    def taxonomies(self) -> MemoryTaxonomies:
        """Taxonomies, and their categories with texts."""
        return MemoryTaxonomies(self.tables)

    @property
    def rules(self) -> MemoryRules:
        """Rules of sources."""
        return MemoryRules(self.tables)

    @property
    def collections(self) -> MemoryCollections:
        """Queries to product databases that run by a schedule."""
        return MemoryCollections(self.tables)

    @property
    def keys(self) -> MemoryKeys:
        """API keys."""
        return MemoryKeys(self.tables)

    @property
    def long_jobs(self) -> MemoryLongJobs:
        """Trainings, studies, imports from product databases, rule proposals, purges."""
        return MemoryLongJobs(self.tables)

    @property
    def dead_letters(self) -> MemoryDeadLetters:
        """Jobs that were given up."""
        return MemoryDeadLetters(self.tables)

    @property
    def retention(self) -> MemoryRetention:
        """Rows and studies that have expired."""
        return MemoryRetention(self.tables)

    @property
    def models(self) -> MemoryModels:
        """Model versions."""
        return MemoryModels(self.tables)

    @property
    def idempotency(self) -> MemoryIdempotency:
        """Answers kept for idempotency keys."""
        return MemoryIdempotency(self.tables)

    @property
    def studies(self) -> MemoryStudies:
        """Studies."""
        return MemoryStudies(self.tables)

    @property
    def imports(self) -> MemoryImports:
        """Imports and their rows."""
        return MemoryImports(self.tables, self._store.held)

    @property
    def differences(self) -> MemoryImportDifferences:
        """Differences of imports to those before them."""
        return MemoryImportDifferences(self.tables)

    @property
    def provenances(self) -> MemoryProvenances:
        """Where listings come from."""
        return MemoryProvenances(self.tables)


class MemoryStore:
    """Tables in memory, with what happened to them.

    ``units`` opens units of work; ``commits`` counts those that were committed; ``locked`` has the external ids of each
    call that locked listings; ``held`` are the imports that somebody works on.
    """

    def __init__(self) -> None:
        self.tables = Tables()
        self.commits = 0
        self.locked: list[list[str]] = []
        self.held: set[int] = set()
        self.fails = False

    def fail_next_commit(self) -> None:
        """Let the next commit raise ConnectionError."""
        self.fails = True

    @property
    def units(self) -> UnitsOfWork:
        """A factory of units of work."""
        return lambda: MemoryUnitOfWork(self)

    @property
    def locks(self) -> ImportLocks:
        """Locks of imports."""
        return lambda: open_memory_lock(self.held)

    def add_source(self, name: str) -> Source:
        """A source with a taxonomy of its own."""
        source = Source(self.tables.next_id(), name, self.tables.next_id(), name)
        self.tables.sources[source.id] = source
        return source

    def add_long_job(self, kind: JobKind) -> int:
        """A waiting long job."""
        now = self.tables.now
        job = StoredJob(self.tables.next_id(), kind, Priority.PIPELINE, created_at=now, not_before=now)
        self.tables.jobs[job.id] = job
        return job.id

    def activate_model(self, taxonomy_id: int) -> ActiveModel:
        """A new model version that is the active one of a taxonomy."""
        model = ActiveModel(self.tables.next_id(), "artefacts", {})
        self.tables.active_models[taxonomy_id] = model
        return model

    def pass_time(self, seconds: float) -> None:
        """Advance the clock."""
        self.tables.now += seconds

    def add_import(self, source_id: int) -> int:
        """A running import of a file, without rows."""
        import_id = self.tables.next_id()
        request = ImportRequest(source_id, "catalogue.csv", f"fingerprint {import_id}")
        self.tables.imports[import_id] = StoredImport(ImportRun(import_id), request)
        return import_id
