"""The unit of work on Postgres: one connection, one transaction, and the repositories on it."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, Engine

from infra.store.collections import SqlCollections
from infra.store.dead_letters import SqlDeadLetters
from infra.store.idempotency import SqlIdempotency
from infra.store.imports.comparison_with_previous import SqlImportDifferences
from infra.store.imports.repository import SqlImports
from infra.store.jobs.claims import SqlClaims
from infra.store.jobs.long_jobs import SqlLongJobs
from infra.store.jobs.outbox import SqlOutbox
from infra.store.jobs.workers import SqlWorkers
from infra.store.keys import SqlKeys
from infra.store.listings.repository import SqlListings, SqlProvenances
from infra.store.models import SqlModels
from infra.store.retention import SqlRetention
from infra.store.rules.repository import SqlRules
from infra.store.sources import SqlSources
from infra.store.studies.repository import SqlStudies
from infra.store.taxonomies.repository import SqlTaxonomies
from pipeline.ports.unit_of_work import UnitsOfWork


class SqlUnitOfWork:
    """Implements ``pipeline.ports.unit_of_work.UnitOfWork``, for use in a ``with`` block.

    Row locks are always taken in the order taxonomies, listings (by id), studies, jobs, provenances (by listing),
    imports, so that units never deadlock.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def __enter__(self) -> SqlUnitOfWork:
        self._connection = self._engine.connect()
        return self

    def __exit__(self, *exception: object) -> None:
        connection, self._connection = self.connection, None
        connection.close()

    @property
    def connection(self) -> Connection:
        """The open connection; RuntimeError outside the ``with`` block."""
        if self._connection is None:
            raise RuntimeError("a unit of work can be used only inside its with block")
        return self._connection

    def commit(self) -> None:
        """Make everything written since ``__enter__`` durable."""
        self.connection.commit()

    @property
    def listings(self) -> SqlListings:
        """Listings and revisions."""
        return SqlListings(self.connection)

    @property
    def outbox(self) -> SqlOutbox:
        """Jobs on their way to the broker."""
        return SqlOutbox(self.connection)

    @property
    def claims(self) -> SqlClaims:
        """Jobs claimed by workers."""
        return SqlClaims(self.connection)

    @property
    def workers(self) -> SqlWorkers:
        """The workers that are alive."""
        return SqlWorkers(self.connection)

    @property
    def sources(self) -> SqlSources:
        """Sources, their taxonomies and categories."""
        return SqlSources(self.connection)

    @property
    def taxonomies(self) -> SqlTaxonomies:
        """Taxonomies, and their categories with texts."""
        return SqlTaxonomies(self.connection)

    @property
    def rules(self) -> SqlRules:
        """Rules of sources."""
        return SqlRules(self.connection)

    @property
    def collections(self) -> SqlCollections:
        """Queries to product databases that run on a schedule."""
        return SqlCollections(self.connection)

    @property
    def keys(self) -> SqlKeys:
        """API keys."""
        return SqlKeys(self.connection)

    @property
    def models(self) -> SqlModels:
        """Model versions."""
        return SqlModels(self.connection)

    @property
    def long_jobs(self) -> SqlLongJobs:
        """Trainings, studies, imports from product databases, rule proposals, purges."""
        return SqlLongJobs(self.connection)

    @property
    def dead_letters(self) -> SqlDeadLetters:
        """Jobs that failed for good."""
        return SqlDeadLetters(self.connection)

    @property
    def retention(self) -> SqlRetention:
        """Rows and studies that have expired."""
        return SqlRetention(self.connection)

    @property
    def idempotency(self) -> SqlIdempotency:
        """Answers stored for idempotency keys."""
        return SqlIdempotency(self.connection)

    @property
    def studies(self) -> SqlStudies:
        """Studies and trials."""
        return SqlStudies(self.connection)

    @property
    def imports(self) -> SqlImports:
        """Imports and their rows."""
        return SqlImports(self.connection)

    @property
    def provenances(self) -> SqlProvenances:
        """Where listings come from."""
        return SqlProvenances(self.connection)

    @property
    def differences(self) -> SqlImportDifferences:
        """Differences between imports and the previous imports of the same queries."""
        return SqlImportDifferences(self.connection)


def units_of_work(engine: Engine) -> UnitsOfWork:
    """A factory of units of work on an engine."""
    return partial(SqlUnitOfWork, engine)
