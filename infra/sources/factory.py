"""Opens a product database by its name."""

from __future__ import annotations

from infra.settings import Settings
from infra.sources.client import SourceClient
from infra.sources.open_food_facts import OpenFoodFacts
from infra.sources.politeness import Politeness, Progress
from infra.store.database import open_engine
from infra.store.host_rate_limits import HostRateLimiter, PausePolicy
from pipeline.domain.product_databases import find_database
from pipeline.ports.services import ProductSource


def open_source(
    name: str, settings: Settings, *, patience: float = 60.0, progress: Progress | None = None
) -> ProductSource:
    """The product source of that name; sends no request yet.

    ``patience`` is the maximum total wait of a call in seconds, for our own limits or because the source asks for it;
    when more is needed, the source raises SourceBusy. ``progress`` is called with a sentence about each longer wait.
    Raises InvalidInput, with the known names, for an unknown one.
    """
    database = find_database(name, settings.sources_address)
    if progress and not settings.contact and database.site == database.home:
        progress(f"RAYON_CONTACT is not set: {database.title} asks for an address to write to")
    client = SourceClient(database, settings, open_politeness(settings), patience=patience, progress=progress)
    return OpenFoodFacts(database, client, settings, progress)


def open_politeness(settings: Settings) -> Politeness:
    """Politeness with the rate limits that all processes share through the database; each use opens a connection."""
    engine = open_engine(settings.database_url, application="rayon-sources", pooled=False)
    return Politeness(HostRateLimiter(engine, PausePolicy(settings.source_failures, settings.source_rest)))
