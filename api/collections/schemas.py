"""Requests to product databases, once or by a schedule, and collections as they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.listings.schemas import Clean
from infra.schedules import schedule_line
from infra.store.collections import CollectionView
from pipeline.domain.collection import CollectionUpdate, NewSchedule, ProductRequest
from pipeline.domain.errors import InvalidInput
from pipeline.domain.product_databases import find_database
from pipeline.domain.product_source import PUBLISHED, ProductQuery, named_query
from pipeline.domain.source import NAME_LIMIT

LONGEST = 2_000
MOST_BARCODES = 10_000
ONCE: dict[str, Any] = {"database": "openfoodfacts", "category": "champagnes", "limit": 10}
NIGHTLY: dict[str, Any] = {**ONCE, "limit": 500, "every": "0 3 * * *"}
Name = Annotated[Clean, Field(max_length=NAME_LIMIT)]
Schedule = Annotated[
    Annotated[int, Field(strict=True)] | Annotated[Clean, Field(max_length=100)] | None,
    Field(description="a cron line by UTC, or a number of seconds; null: on request only"),
]


class ProductsAsked(BaseModel):
    """What to ask a product database for: exactly one of category, text, barcodes, export and changes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [ONCE]})

    database: Clean = Field(max_length=NAME_LIMIT, description="such as openfoodfacts")
    category: Clean = Field("", max_length=LONGEST, description="such as champagnes or en:champagnes")
    text: Clean = Field("", max_length=LONGEST, description="words to search for")
    barcodes: list[Annotated[Clean, Field(max_length=50)]] = Field([], max_length=MOST_BARCODES)
    export: Clean = Field("", max_length=LONGEST, description=f"'{PUBLISHED}': the whole file that it publishes")
    changes: bool = Field(False, description="what changed since the last time")
    limit: int | None = Field(None, ge=1, le=2**31 - 1, description="at most so many products; null: all there are")
    source: Name = Field("", description="whose listings they become; by default the database's name")
    taxonomy: Name = Field("", description="the taxonomy of a new source; by default the only one with a model")

    @field_validator("export")
    @classmethod
    def _published(cls, export: str) -> str:
        # Paths and addresses are for commands: over HTTP they would give access to the machine's files and network.
        if export and export != PUBLISHED:
            raise ValueError(f"an export is '{PUBLISHED}'; one that lies elsewhere is collected by command")
        return export

    def request(self) -> ProductRequest:
        """The request; InvalidInput for an unknown database, and unless exactly one kind of query is given."""
        return ProductRequest(self.database, self._query(), self.source, self.taxonomy)

    def _query(self) -> ProductQuery:
        find_database(self.database, "")
        if any("," in code for code in self.barcodes):
            raise InvalidInput("barcodes are a list, one each")
        return named_query(
            category=self.category,
            text=self.text,
            barcodes=",".join(self.barcodes),
            export=self.export,
            changes=self.changes,
            limit=self.limit,
        )


class CollectionAsked(ProductsAsked):
    """A query to run by a schedule, or on request."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [NIGHTLY]})

    every: Schedule = None


class CollectionChange(BaseModel):
    """What to change of a collection; fields that are left out keep their values."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"paused": True}, {"every": 86400}]})

    every: Schedule = None
    paused: bool | None = None

    def update(self) -> CollectionUpdate:
        """The change; InvalidInput for what is no schedule."""
        schedule = NewSchedule(schedule_of(self.every)) if "every" in self.model_fields_set else None
        return CollectionUpdate(schedule, self.paused)


class CollectionShown(BaseModel):
    """A collection and its latest import."""

    id: int
    source: str
    database: str
    query: dict[str, Any]
    schedule: str | None = Field(description="a cron line by UTC or 'every N' in seconds; null: on request only")
    paused: bool
    next_at: datetime | None = Field(description="when it is due next; null: without a schedule, or paused")
    last_import_id: int | None
    last_status: str | None
    last_ended_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, collection: CollectionView) -> Self:
        """The collection as it is answered."""
        return cls(
            id=collection.id,
            source=collection.source,
            database=collection.database,
            query={"database": collection.database, **collection.query.as_json()},
            schedule=collection.schedule,
            paused=collection.paused,
            next_at=collection.next_at,
            last_import_id=collection.last_import_id,
            last_status=collection.last_status,
            last_ended_at=collection.last_ended_at,
            created_at=collection.created_at,
        )


def schedule_of(every: str | int | None) -> str | None:
    """The schedule that the field ``every`` asks for, None for on request only; InvalidInput for what is none."""
    return None if every is None else schedule_line(every)


class CollectionList(BaseModel):
    """All collections, in the order they were made."""

    items: list[CollectionShown]
