"""Where the house is put together for the api: settings in, real adapters out, kept on the app."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from api.backpressure import Backpressure
from api.coverage import Coverage
from api.metrics import Metrics
from api.thumbnails import Thumbnails
from api.waiting import DecisionHub
from infra.registry import StorageModelRegistry
from infra.settings import Settings
from infra.storage.opening import storage_of
from infra.storage.streams import FileStorage
from infra.store.engine import open_engine
from infra.store.unit_of_work import units_of_work
from pipeline.ports.record import UnitsOfWork

# As many threads as connections: a request that has a thread never waits for a connection.
POOL_SIZE = 8
THREADS = 2 * POOL_SIZE


@dataclass(frozen=True, slots=True)
class House:
    """What the routes work with. Building one connects to nothing."""

    settings: Settings
    engine: Engine
    units: UnitsOfWork
    storage: FileStorage
    registry: StorageModelRegistry
    hub: DecisionHub
    backpressure: Backpressure
    thumbnails: Thumbnails
    coverage: Coverage
    metrics: Metrics


def build(settings: Settings) -> House:
    """Put the house together.

    Without a secret key, addresses and sessions are signed with one that lives as long as this process.
    """
    settings = settings if settings.secret_key else settings.model_copy(update={"secret_key": secrets.token_hex(32)})
    engine = open_engine(settings.database_url, pool_size=POOL_SIZE, application="rayon-api")
    storage = storage_of(settings)
    return House(
        settings=settings,
        engine=engine,
        units=units_of_work(engine),
        storage=storage,
        registry=StorageModelRegistry(storage, settings.home / "cache"),
        hub=DecisionHub(settings.database_url, settings.waiting_requests),
        backpressure=Backpressure(engine, settings),
        thumbnails=Thumbnails(storage, settings.fetch_bytes, settings.fetch_pixels),
        coverage=Coverage(),
        metrics=Metrics(),
    )


def house_of(request: Request) -> House:
    """The house of the app that answers this request."""
    house: House = request.app.state.house
    return house


InHouse = Annotated[House, Depends(house_of)]
