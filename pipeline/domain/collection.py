"""Collections: queries to a product database that run on a schedule; each run is an import."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.domain.product_source import ProductQuery


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection into a source. ``next_at`` is when it is next due, None without a schedule and while paused.

    ``schedule`` is a cron expression in UTC or ``every N`` seconds, None for a collection that runs on request only.
    """

    id: int
    source_id: int
    database: str
    query: ProductQuery
    schedule: str | None
    paused: bool
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProductRequest:
    """A request to import products: a query to a database, and the source to import them into.

    ``source`` is a name, by default that of the database; ``taxonomy`` is the name of a new source's taxonomy.
    """

    database: str
    query: ProductQuery
    source: str = ""
    taxonomy: str = ""


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A new schedule for a collection; if ``line`` is None, it runs on request only."""

    line: str | None


@dataclass(frozen=True, slots=True)
class CollectionUpdate:
    """Changes to a collection; None leaves a field unchanged."""

    schedule: NewSchedule | None = None
    paused: bool | None = None


@dataclass(frozen=True, slots=True)
class CollectionRequest:
    """A collection to add: a query to a database, the source it imports into, and its schedule."""

    source_id: int
    database: str
    query: ProductQuery
    schedule: str | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the database and query; a source has at most one collection per fingerprint."""
        return self.query.fingerprint(self.database)
