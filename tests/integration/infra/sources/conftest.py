"""A shop that keeps its limits, and sources that ask it with a record of turns of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from infra.settings import Settings, read_settings
from infra.sources.client import SourceClient
from infra.sources.databases import located
from infra.sources.open_food_facts import OpenFoodFacts
from infra.sources.politeness import Politeness
from infra.store.database import open_engine
from infra.store.rate_limits.repository import HostRecord, Rest
from tests.integration.infra.sources.shop_server import ShopServer, opened

WINDOW = 0.4  # the shop's minute, in seconds


@pytest.fixture
def shop() -> Iterator[ShopServer]:
    with opened(window=WINDOW) as shop:
        yield shop


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url, pool_size=20)
    yield engine
    engine.dispose()


@pytest.fixture
def settings(shop: ShopServer, database_url: str, tmp_path: Path) -> Settings:
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
    """Sources of one process each, as it were: they share nothing but the record."""

    def make(*, patience: float = 30.0, rest: Rest | None = None, **named: Any) -> OpenFoodFacts:
        database = located("openfoodfacts", settings.sources_address)
        asking = SourceClient(database, settings, Politeness(HostRecord(engine, rest)), patience=patience, **named)
        return OpenFoodFacts(database, asking, settings)

    return make
