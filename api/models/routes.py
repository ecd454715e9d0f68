"""Model versions: their figures side by side, promoted and rolled back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from api.auth import Admin, Reader
from api.context import Context
from api.listings.schemas import Clean
from api.pagination import LARGEST_ID
from infra.store.models.queries import find_model, list_models
from pipeline.domain.errors import NotFound
from pipeline.steps import models

router = APIRouter(prefix="/v1/models", tags=["models"])
ModelId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("")
def show_models(context: Context, grant: Reader, taxonomy: Clean | None = None) -> list[dict[str, Any]]:
    """Versions by taxonomy, newest first, with their held-out metrics."""
    with context.engine.connect() as connection:
        return list_models(connection, grant.source_ids, taxonomy or None)


@router.get("/{model_id}")
def show_model(model_id: ModelId, context: Context, grant: Reader) -> dict[str, Any]:
    """One version with its manifest."""
    with context.engine.connect() as connection:
        found = find_model(connection, model_id, grant.source_ids)
    if found is None:
        raise NotFound(f"there is no model version {model_id}")
    return found


@router.post("/{model_id}/promote")
def promote_model(model_id: ModelId, context: Context, grant: Admin) -> dict[str, int]:
    """Make a version the active one of its taxonomy; says how many listings it will decide anew."""
    return {"id": model_id, "requeued": models.promote(context.units, model_id)}


@router.post("/{model_id}/rollback")
def roll_back_model(model_id: ModelId, context: Context, grant: Admin) -> dict[str, int]:
    """Bring back, in the taxonomy of this version, the one that was active before; 409 when there is none."""
    found = show_model(model_id, context, grant)
    return {"id": models.rollback(context.units, found["taxonomy_id"])}
