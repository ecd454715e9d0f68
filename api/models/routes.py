"""Model versions: list them with their metrics, promote one, roll back."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import Connection

from api.auth import Admin, Reader
from api.context import Context
from api.models.schemas import ModelDetailsResponse, ModelResponse, PromotionResponse, RollbackResponse
from api.parameters import Clean, RecordId
from infra.store.models import ModelDetails, find_model, list_models
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import NotFound
from pipeline.steps import models

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
def show_models(context: Context, grant: Reader, taxonomy: Clean | None = None) -> list[ModelResponse]:
    """Versions by taxonomy, newest first, with their held-out metrics."""
    with context.engine.connect() as connection:
        versions = list_models(connection, grant.source_ids, taxonomy or None)
    return [ModelResponse.model_validate(version) for version in versions]


@router.get("/{model_id}")
def show_model(model_id: RecordId, context: Context, grant: Reader) -> ModelDetailsResponse:
    """One version with its manifest."""
    with context.engine.connect() as connection:
        return ModelDetailsResponse.model_validate(_find(connection, model_id, grant))


@router.post("/{model_id}/promote")
def promote_model(model_id: RecordId, context: Context, _grant: Admin) -> PromotionResponse:
    """Make a version the active one of its taxonomy; returns the number of listings it will decide again."""
    return PromotionResponse(id=model_id, requeued=models.promote(context.units, model_id))


@router.post("/{model_id}/rollback")
def roll_back_model(model_id: RecordId, context: Context, grant: Admin) -> RollbackResponse:
    """Make the previously active version of this taxonomy active again; 409 if there is none."""
    with context.engine.connect() as connection:
        taxonomy_id = _find(connection, model_id, grant).taxonomy_id
    return RollbackResponse(id=models.roll_back(context.units, taxonomy_id))


def _find(connection: Connection, model_id: int, grant: Grant) -> ModelDetails:
    version = find_model(connection, model_id, grant.source_ids)
    if version is None:
        raise NotFound(f"there is no model version {model_id}")
    return version
