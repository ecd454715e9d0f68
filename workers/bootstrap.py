"""Composition root of workers, relay, beat and the command line: builds the adapters that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sqlalchemy import Engine

from infra.photos.photo_fetcher import PhotoFetcher
from infra.photos.photo_rate_limits import open_photo_rate_limits
from infra.safe_fetch.addresses import FetchPolicy
from infra.settings import Settings, read_settings
from infra.storage.factory import storage_from_settings
from infra.storage.model_registry import StorageModelRegistry
from infra.storage.storage_interface import FileTransferStorage
from infra.store.database import open_engine
from infra.store.unit_of_work import units_of_work
from pipeline.domain.errors import InvalidInput
from pipeline.ports.unit_of_work import UnitsOfWork

if TYPE_CHECKING:
    from pipeline.features.extractor import TextExtractor

NAME_ENCODER = "use"  # of the names of categories, as pipeline.domain.extractors calls it


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The adapters that a process uses. Building a context opens no connection."""

    settings: Settings
    engine: Engine
    units: UnitsOfWork
    storage: FileTransferStorage
    registry: StorageModelRegistry
    photos: PhotoFetcher


def settings_of(environ: Mapping[str, str]) -> Settings:
    """The settings of a process: its environment, with defaults from the embedded stack of RAYON_HOME.

    Raises InvalidInput when neither names a database.
    """
    home = Path(environ.get("RAYON_HOME") or "var").resolve()
    stack_environment: Mapping[str, str] = {}
    if not environ.get("DATABASE_URL"):
        from infra.embedded.home import Home  # not loaded in deployments, whose environment names all addresses

        stack_environment = Home(home).environment()
    environment = {**stack_environment, **environ, "RAYON_HOME": str(home)}
    if not environment.get("DATABASE_URL"):
        raise InvalidInput(
            f"no stack is known in {home}: start one with 'rayon up' (or 'make up'), or set DATABASE_URL, BROKER_URL "
            "and STORAGE_URL"
        )
    return read_settings(environment)


def build(settings: Settings, *, application: str = "rayon", pooled: bool = True) -> WorkerContext:
    """Build the adapters that these settings name."""
    engine = open_engine(settings.database_url, application=application, pooled=pooled)
    storage = storage_from_settings(settings)
    policy = fetch_policy(settings)
    return WorkerContext(
        settings=settings,
        engine=engine,
        units=units_of_work(engine),
        storage=storage,
        registry=StorageModelRegistry(storage, settings.home / "cache"),
        photos=PhotoFetcher(storage, policy, settings.fetch_bytes, open_photo_rate_limits(settings, policy, engine)),
    )


def build_name_encoder() -> TextExtractor:
    """The encoder that compares listings with the names of categories. Raises Unavailable where it is not installed."""
    from pipeline.features.extractor import build_extractor  # numpy is not loaded in processes that compute nothing

    encoder = cast("TextExtractor", build_extractor(NAME_ENCODER))
    return encoder.fit([])


def unpooled_units(settings: Settings, application: str) -> UnitsOfWork:
    """Units of work that open a new connection each, for a process that forks."""
    return units_of_work(open_engine(settings.database_url, application=application, pooled=False))


def fetch_policy(settings: Settings) -> FetchPolicy:
    """The limits for fetching addresses that users supply."""
    hosts = frozenset(host.strip().lower() for host in settings.fetch_allowed_hosts.split(",") if host.strip())
    return FetchPolicy(
        allow_private=settings.fetch_allow_private,
        hosts=hosts or None,
        max_bytes=settings.fetch_bytes,
        max_pixels=settings.fetch_pixels,
        total_timeout=settings.fetch_seconds,
    )
