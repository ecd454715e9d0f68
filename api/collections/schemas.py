"""What is asked of product databases, once or again and again, and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.listings.schemas import Clean
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
        # Paths and addresses are for those who are on the machine: they reach what is not ours to give.
        if export and export != PUBLISHED:
            raise ValueError(f"an export is '{PUBLISHED}'; one that lies elsewhere is collected by command")
        return export

    def query(self) -> ProductQuery:
        """The domain's word for it; InvalidInput for a database that is not known, and unless one thing is named."""
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
    """A query that is to be asked again and again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [NIGHTLY]})

    every: Schedule = None


class CollectionChange(BaseModel):
    """What to change of a collection; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"paused": True}, {"every": 86400}]})

    every: Schedule = None
    paused: bool | None = None


class CollectionShown(BaseModel):
    """A standing collection and its latest import."""

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


class CollectionList(BaseModel):
    """All collections, in the order they were made."""

    items: list[CollectionShown]
