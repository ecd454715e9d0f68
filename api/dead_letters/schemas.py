"""Request and response schemas of dead letters."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.pagination import MAX_ID
from api.parameters import Clean
from infra.store.dead_letters import DeadLetterView
from pipeline.domain.job import JobKind, JobState, Priority
from pipeline.domain.reason import coded_reason
from pipeline.localisation.localised_text import Language


class DeadLetterResponse(BaseModel):
    """A job that failed for good; the fields of a listing are null for a long job."""

    id: int
    job_id: int
    kind: JobKind
    priority: Priority
    job_state: JobState
    attempts: int
    listing_id: int | None
    external_id: str | None
    source: str | None
    name: str | None
    reason: str
    coded_reason: dict[str, Any] | None = Field(description="code and parameters of the reason; null if it has none")
    created_at: datetime
    replayed_at: datetime | None
    again: bool = Field(description="whether another job is now open for the same revision")

    @classmethod
    def of(cls, letter: DeadLetterView, language: Language) -> Self:
        """Build the response from a letter, with its reason in this language."""
        reason = {"reason": language.reason(letter.reason), "coded_reason": coded_reason(letter.reason)}
        return cls(**{field.name: getattr(letter, field.name) for field in fields(letter)} | reason)


class DeadLetterWithHistory(DeadLetterResponse):
    """A dead letter with its traceback and the history of attempts."""

    traceback: str | None
    history: list[dict[str, Any]]


class DeadLetterPage(BaseModel):
    """A page of dead letters; ``next`` is the cursor of the next page, null at the end."""

    items: list[DeadLetterResponse]
    next: str | None


class ReplayRequest(BaseModel):
    """The letters to replay, by exactly one of the three fields."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"ids": [17]}, {"all": True}]})

    ids: list[Annotated[int, Field(ge=1, le=MAX_ID)]] | None = Field(None, max_length=10_000)
    reason_contains: Clean | None = None
    all: bool = False

    @model_validator(mode="after")
    def _check_exactly_one_selection(self) -> ReplayRequest:
        if [self.ids is not None, bool(self.reason_contains), self.all].count(True) != 1:
            raise ValueError("give exactly one of: ids, reason_contains, all")
        return self


class ReplayResponse(BaseModel):
    """The number of jobs that were queued again."""

    replayed: int
