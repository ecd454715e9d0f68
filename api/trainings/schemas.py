"""Request and response schemas of trainings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.parameters import Clean
from pipeline.domain.job import JobState
from pipeline.domain.source import NAME_LIMIT
from pipeline.domain.training import TrainingRequest

MAX_EXTRACTORS = 20
MAX_VIEWS = 20
EXAMPLE: dict[str, Any] = {"taxonomy": "marketplace", "level": 2, "choose": "best", "promote": False}


class NewTrainingRequest(BaseModel):
    """The training to start; every field may be omitted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    taxonomy: Annotated[Clean, Field(max_length=NAME_LIMIT)] | None = Field(
        None, description="by name; may be omitted if there is only one"
    )
    level: int | None = Field(None, ge=1, le=12, description="answer at this level only; by default as deep as is sure")
    min_level: int = Field(
        1, ge=1, le=12, description="the least useful level: answers above it go to review; only without `level`"
    )
    image_extractors: list[Annotated[Clean, Field(pattern=r"^[a-z0-9_]{1,40}$")]] = Field(
        [],
        max_length=MAX_EXTRACTORS,
        description="photo extractors; by default those of the settings and the latest study",
    )
    choose: Literal["fastest", "best"] | Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        None,
        description="compare sets of photo extractors, and use the fastest, the best, or the best within a number of "
        "milliseconds per photo",
    )
    views: int = Field(
        0, ge=0, le=MAX_VIEWS, description="augmented views per photo, kept if they improve held-out photos"
    )
    finetune: bool = Field(
        default=False, description="fine-tune the last block of a network, kept if it improves held-out photos"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="the same seed and listings produce the same model")
    afresh: bool = Field(default=False, description="do not continue from the photo extractors of the active version")
    promote: bool = Field(default=False, description="make it active even if another version is")

    @model_validator(mode="after")
    def _check_selection(self) -> Self:
        if self.choose is not None and self.image_extractors:
            raise ValueError("choose tries sets of extractors itself: leave out image_extractors, or choose")
        if self.level is not None and self.min_level > 1:
            raise ValueError("a model of one level has no least useful level: leave out level, or min_level")
        return self

    def request(self) -> TrainingRequest:
        """Build the training request, which is stored with the job."""
        return TrainingRequest(
            level=self.level,
            min_level=self.min_level,
            image_extractors=tuple(dict.fromkeys(self.image_extractors)),
            choose=None if self.choose is None else str(self.choose),
            views=self.views,
            finetune=self.finetune,
            seed=self.seed,
            afresh=self.afresh,
            promote=self.promote,
        )


class TrainingResponse(BaseModel):
    """A training. ``progress`` runs from 0 to 1; ``note`` is its current activity, or its result."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    taxonomy: str
    state: JobState
    plan: dict[str, Any]
    progress: float
    note: str
    model_id: int | None = Field(
        description="the model version it produced, see /v1/models/{id}; null: none, or not yet"
    )
    created_at: datetime
    ended_at: datetime | None
