"""Response schemas of model versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.domain.model_version import ModelStatus


class ModelResponse(BaseModel):
    """A model version with its held-out metrics."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    number: int = Field(description="number within its taxonomy, from 1")
    taxonomy: str
    taxonomy_id: int
    status: ModelStatus
    problem: str | None = Field(description="why workers cannot read it; null if they can")
    listings: int | None = Field(description="number of labelled listings it was trained on")
    level: int | None = Field(
        description="level of the text, image and fused metrics; the only one of a model of one level"
    )
    fingerprint: str | None = Field(description="SHA-256 of the listings it was trained on")
    metrics: dict[str, Any] = Field(
        description="held-out metrics by modality: text, image, fused; `hierarchy` has those by level, `min_level` is "
        "the least useful level, and both are null for a model of one level"
    )
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None


class ModelDetailsResponse(ModelResponse):
    """A model version with its whole manifest."""

    manifest: dict[str, Any]


class PromotionResponse(BaseModel):
    """The active version, and the number of listings that it will decide again."""

    id: int
    requeued: int


class RollbackResponse(BaseModel):
    """The version that is active again."""

    id: int
