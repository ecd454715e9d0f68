"""From the name of a product database to a source that can be asked."""

from __future__ import annotations

from collections.abc import Callable

from infra.settings import Settings
from infra.sources.client import SourceClient
from infra.sources.databases import DATABASES, located
from infra.sources.open_food_facts import OpenFoodFacts
from infra.sources.politeness import Politeness
from infra.store.database import open_engine
from infra.store.rate_limits.repository import HostRecord, Rest
from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_source import Licence
from pipeline.ports.services import ObjectStorage, ProductSource

Tell = Callable[[str], None]


def source_names() -> tuple[str, ...]:
    """The product databases that can be asked, in the order to name them."""
    return tuple(DATABASES)


def licence_of(database: str) -> Licence:
    """The terms of a database's products; InvalidInput for one that is not known."""
    if database not in DATABASES:
        raise InvalidInput(f"there is no product database {database!r}; there are: {', '.join(DATABASES)}")
    return DATABASES[database].licence


def open_source(
    name: str, settings: Settings, storage: ObjectStorage, *, patience: float = 60.0, tell: Tell | None = None
) -> ProductSource:
    """The source of that name; nothing is asked yet.

    ``patience`` is the longest wait in seconds inside a call, for our own limits or because the source asks for it;
    beyond that the source raises SourceBusy. ``tell`` is told, in a sentence, what is waited for. Raises InvalidInput
    with the names there are.
    """
    database = located(name, settings.sources_address)
    if tell and not settings.contact and database.site == database.home:
        tell(f"RAYON_CONTACT is not set: {database.title} asks to be told whom to write to")
    asking = SourceClient(database, settings, courtesy_of(settings), patience=patience, tell=tell)
    return OpenFoodFacts(database, asking, settings, tell)


def courtesy_of(settings: Settings) -> Politeness:
    """Turns by the record that all processes on this database share; a connection is opened for each use."""
    engine = open_engine(settings.database_url, application="rayon-sources", pooled=False)
    return Politeness(HostRecord(engine, Rest(settings.source_failures, settings.source_rest)))
