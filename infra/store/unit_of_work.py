"""The unit of work on Postgres: one connection, one transaction, the repositories on top."""

from __future__ import annotations

from functools import cached_property, partial

from sqlalchemy import Connection, Engine

from infra.store.collections.provenances import SqlProvenances
from infra.store.idempotency import SqlIdempotency
from infra.store.imports.repository import SqlImports
from infra.store.jobs.claims import SqlClaims
from infra.store.jobs.outbox import SqlOutbox
from infra.store.jobs.workers import SqlWorkers
from infra.store.listings.repository import SqlListings
from infra.store.models.repository import SqlModels
from infra.store.studies.repository import SqlStudies
from pipeline.ports.repositories import UnitsOfWork


class SqlUnitOfWork:
    """Implements ``pipeline.ports.repositories.UnitOfWork``; use it in a ``with`` block.

    Row locks are always taken in the order taxonomies, listings (by id), studies, jobs, provenances (by listing),
    imports, so that units never deadlock.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def __enter__(self) -> SqlUnitOfWork:
        self._connection = self._engine.connect()
        for name, attribute in vars(type(self)).items():
            if isinstance(attribute, cached_property):
                self.__dict__.pop(name, None)
        return self

    def __exit__(self, *exception: object) -> None:
        connection, self._connection = self.connection, None
        connection.close()

    @property
    def connection(self) -> Connection:
        """The open connection; using a unit outside its ``with`` block is a programming error."""
        if self._connection is None:
            raise RuntimeError("a unit of work is used inside its with block only")
        return self._connection

    def commit(self) -> None:
        """Make everything since ``__enter__`` durable."""
        self.connection.commit()

    @cached_property
    def listings(self) -> SqlListings:
        """Listings and revisions."""
        return SqlListings(self.connection)

    @cached_property
    def outbox(self) -> SqlOutbox:
        """Jobs on their way to the broker."""
        return SqlOutbox(self.connection)

    @cached_property
    def claims(self) -> SqlClaims:
        """Jobs claimed by workers."""
        return SqlClaims(self.connection)

    @cached_property
    def workers(self) -> SqlWorkers:
        """The workers that are alive."""
        return SqlWorkers(self.connection)

    @cached_property
    def models(self) -> SqlModels:
        """Model versions."""
        return SqlModels(self.connection)

    @cached_property
    def idempotency(self) -> SqlIdempotency:
        """Remembered answers."""
        return SqlIdempotency(self.connection)

    @cached_property
    def studies(self) -> SqlStudies:
        """Studies and trials."""
        return SqlStudies(self.connection)

    @cached_property
    def imports(self) -> SqlImports:
        """Imports and their rows."""
        return SqlImports(self.connection)

    @cached_property
    def provenances(self) -> SqlProvenances:
        """Where listings come from."""
        return SqlProvenances(self.connection)


def units_of_work(engine: Engine) -> UnitsOfWork:
    """A factory of units on one engine."""
    return partial(SqlUnitOfWork, engine)
