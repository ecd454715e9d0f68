"""The store of a contract test: once in memory, once on Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.store.database import open_engine
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from tests.contracts.contract_store import ContractStore
from tests.contracts.records import MemoryRecords, PostgresRecords, Records
from tests.contracts.stores import InMemory, OnPostgres


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[ContractStore]:
    """An empty store."""
    if request.param == "memory":
        yield InMemory()
        return
    engine = open_engine(request.getfixturevalue("database_url"), pool_size=4)
    on_postgres = OnPostgres(engine)
    yield on_postgres
    on_postgres.close()


@pytest.fixture
def units(store: ContractStore) -> UnitsOfWork:
    """Units of work on that store."""
    return store.units


@pytest.fixture
def source(store: ContractStore) -> Source:
    """A source in that store."""
    return store.add_source("shop")


@pytest.fixture
def key_id(store: ContractStore) -> int:
    """The id of an API key in that store."""
    return store.add_key()


@pytest.fixture
def records(store: ContractStore) -> Records:
    """What can be looked at in that store."""
    if isinstance(store, OnPostgres):
        return PostgresRecords(store)
    assert isinstance(store, InMemory)
    return MemoryRecords(store)
