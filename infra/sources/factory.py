"""Opens a product database by its name."""

from __future__ import annotations

from infra.settings import Settings
from infra.sources.client import SourceClient
from infra.sources.open_food_facts import OpenFoodFacts
from infra.sources.politeness import Politeness, Progress
from infra.store.database import open_engine
from infra.store.rate_limits import HostRateLimiter, PausePolicy
from pipeline.domain.product_databases import find_database
from pipeline.ports.services import ProductSource


def open_source(
    name: str, settings: Settings, *, patience: float = 60.0, progress: Progress | None = None
) -> ProductSource:
    """The source of that name; nothing is requested yet.

    ``patience`` is the longest wait in seconds inside a call, for our own limits or because the source asks for it;
    beyond that the source raises SourceBusy. ``progress`` is given a sentence about each longer wait. Raises
    InvalidInput, with the names there are, for an unknown one.
    """
    database = find_database(name, settings.sources_address)
    if progress and not settings.contact and database.site == database.home:
        progress(f"RAYON_CONTACT is not set: {database.title} asks for an address to write to")
    client = SourceClient(database, settings, open_politeness(settings), patience=patience, progress=progress)
    return OpenFoodFacts(database, client, settings, progress)


def open_politeness(settings: Settings) -> Politeness:
    """Politeness by the rate limits that all processes on this database share; each use opens a connection."""
    engine = open_engine(settings.database_url, application="rayon-sources", pooled=False)
    return Politeness(HostRateLimiter(engine, PausePolicy(settings.source_failures, settings.source_rest)))
