"""A database server that keeps its limits, and sources that ask it with rate limits of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from infra.settings import Settings, read_settings
from infra.sources.client import SourceClient
from infra.sources.open_food_facts import OpenFoodFacts
from infra.sources.politeness import Politeness
from infra.store.database import open_engine
from infra.store.host_rate_limits import HostRateLimiter, PausePolicy
from pipeline.domain.product_databases import find_database
from tests.integration.infra.sources.database_server import DatabaseServer, running_database

WINDOW = 0.4  # the server's minute, in seconds


@pytest.fixture
def shop() -> Iterator[DatabaseServer]:
    with running_database(window=WINDOW) as shop:
        yield shop


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url, pool_size=20)
    yield engine
    engine.dispose()


@pytest.fixture
def settings(shop: DatabaseServer, database_url: str, tmp_path: Path) -> Settings:
    return read_settings(
        {
            "DATABASE_URL": database_url,
            "RAYON_HOME": str(tmp_path),
            "RAYON_SOURCES_ADDRESS": shop.address,
            "RAYON_SOURCE_MINUTE": str(WINDOW),
            "RAYON_SOURCE_PAGE_SIZE": "10",
            "RAYON_SOURCE_SECONDS": "1",
            "RAYON_CONTACT": "ops@rayon.example",
            "RAYON_FETCH_ALLOW_PRIVATE": "true",
        }
    )


@pytest.fixture
def source_of(settings: Settings, engine: Engine) -> Callable[..., OpenFoodFacts]:
    """Sources as of different processes: they share nothing but the rate limits in the database."""

    def make(*, patience: float = 30.0, pause_policy: PausePolicy | None = None, **options: Any) -> OpenFoodFacts:
        database = find_database("openfoodfacts", settings.sources_address)
        politeness = Politeness(HostRateLimiter(engine, pause_policy))
        client = SourceClient(database, settings, politeness, patience=patience, **options)
        return OpenFoodFacts(database, client, settings)

    return make
