"""Composition of the API: the adapters chosen by the settings, stored on the app and injected into its routes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from api.backpressure import Backpressure
from api.decision_waiter import DecisionWaiter
from api.label_count_cache import LabelCountCache
from api.metrics import Metrics
from api.rule_coverage_cache import CoverageCache
from api.thumbnails import ThumbnailCache
from infra.settings import Settings
from infra.storage.factory import storage_from_settings
from infra.storage.model_registry import StorageModelRegistry
from infra.storage.storage_interface import FileTransferStorage
from infra.store.database import open_engine
from infra.store.unit_of_work import units_of_work
from pipeline.ports.unit_of_work import UnitsOfWork

# The engine opens up to 2 * POOL_SIZE connections. With as many threads, no thread ever waits for a connection.
POOL_SIZE = 8
THREADS = 2 * POOL_SIZE


@dataclass(frozen=True, slots=True)
class ApiContext:
    """Adapters and caches used by the routes. Building it opens no connection."""

    settings: Settings
    engine: Engine
    units: UnitsOfWork
    storage: FileTransferStorage
    registry: StorageModelRegistry
    decision_waiter: DecisionWaiter
    backpressure: Backpressure
    thumbnails: ThumbnailCache
    coverage_cache: CoverageCache
    label_counts: LabelCountCache
    metrics: Metrics


def build_context(settings: Settings) -> ApiContext:
    """Build the adapters chosen by these settings.

    Without a secret key in the settings, URLs and sessions are signed with a random key, lost when the process ends.
    """
    settings = settings if settings.secret_key else settings.model_copy(update={"secret_key": secrets.token_hex(32)})
    engine = open_engine(settings.database_url, pool_size=POOL_SIZE, application="rayon-api")
    storage = storage_from_settings(settings)
    return ApiContext(
        settings=settings,
        engine=engine,
        units=units_of_work(engine),
        storage=storage,
        registry=StorageModelRegistry(storage, settings.home / "cache"),
        decision_waiter=DecisionWaiter(settings.database_url, settings.waiting_requests),
        backpressure=Backpressure(engine, settings),
        thumbnails=ThumbnailCache(storage, settings.fetch_bytes, settings.fetch_pixels),
        coverage_cache=CoverageCache(),
        label_counts=LabelCountCache(),
        metrics=Metrics(),
    )


def context_of(request: Request) -> ApiContext:
    """The context of the app that answers this request."""
    context: ApiContext = request.app.state.context
    return context


Context = Annotated[ApiContext, Depends(context_of)]
