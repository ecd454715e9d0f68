"""Request and response schemas of collections."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.imports.schemas import EXAMPLE_REQUEST, NewImportRequest
from api.parameters import Clean
from infra.schedules import schedule_line
from infra.store.collections import CollectionView
from pipeline.domain.collection import CollectionUpdate, NewSchedule

EXAMPLE_COLLECTION: dict[str, Any] = {**EXAMPLE_REQUEST, "limit": 500, "every": "0 3 * * *"}
Schedule = Annotated[
    Annotated[int, Field(strict=True)] | Annotated[Clean, Field(max_length=100)] | None,
    Field(description="a cron expression in UTC, or a number of seconds; null: on request only"),
]


class NewCollectionRequest(NewImportRequest):
    """A query to run on a schedule, or on request only."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE_COLLECTION]})

    every: Schedule = None


class CollectionChange(BaseModel):
    """Changes to a collection; omitted fields keep their values."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"paused": True}, {"every": 86400}]})

    every: Schedule = None
    paused: bool | None = None

    def update(self) -> CollectionUpdate:
        """Build the update; InvalidInput for an invalid schedule."""
        schedule = NewSchedule(schedule_of(self.every)) if "every" in self.model_fields_set else None
        return CollectionUpdate(schedule, self.paused)


class CollectionResponse(BaseModel):
    """A collection and its latest import."""

    id: int
    source: str
    database: str
    query: dict[str, Any]
    schedule: str | None = Field(description="a cron expression in UTC, or 'every N' in seconds; null: on request only")
    paused: bool
    next_at: datetime | None = Field(description="time of the next run; null without a schedule, or while paused")
    last_import_id: int | None
    last_status: str | None
    last_ended_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, collection: CollectionView) -> Self:
        """Build the response from a collection."""
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
    """The schedule in the field ``every``, None for on request only; InvalidInput if it is invalid."""
    return None if every is None else schedule_line(every)


class CollectionList(BaseModel):
    """All collections, oldest first."""

    items: list[CollectionResponse]
