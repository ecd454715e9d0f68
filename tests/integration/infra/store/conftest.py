"""A database of each test's own: an engine, units of work, a source."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from infra.store.database import open_engine
from infra.store.unit_of_work import units_of_work
from pipeline.domain.source import Source
from pipeline.ports.unit_of_work import UnitsOfWork
from tests.integration.records import add_source


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh, migrated database, as the processes open it."""
    engine = open_engine(database_url, pool_size=8)
    yield engine
    engine.dispose()


@pytest.fixture
def units(engine: Engine) -> UnitsOfWork:
    """Units of work on that database."""
    return units_of_work(engine)


@pytest.fixture
def source(engine: Engine) -> Source:
    """A source with its taxonomy."""
    return add_source(engine, "shop")
