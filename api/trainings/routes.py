"""Trainings of model versions: started and followed; a worker does them."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.auth import Admin, Reader
from api.context import ApiContext, Context
from api.idempotency import answered_once
from api.listings.routes import IdempotencyHeader, once_of
from api.pagination import LARGEST_ID
from api.trainings.schemas import TrainingAsked, TrainingShown
from infra.store.jobs.long_jobs import request_training
from infra.store.models.queries import find_training
from infra.store.taxonomies.repository import find_taxonomy
from pipeline.domain.errors import Conflict, InvalidInput, NotFound
from pipeline.domain.extractors import check_photo_extractors

router = APIRouter(prefix="/v1/trainings", tags=["models"])
TrainingId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    response_model=TrainingShown,
    responses={200: {"model": TrainingShown, "description": "a training of this taxonomy runs already: this one"}},
)
def start_training(
    asked: TrainingAsked,
    context: Context,
    grant: Admin,
    response: Response,
    idempotency_key: IdempotencyHeader = None,
) -> dict[str, Any]:
    """Train a model version on all labelled listings, to be followed at `Location`.

    200 and the one that runs when there is one of this taxonomy. The first version of a taxonomy becomes active; a
    later one is a candidate until it is promoted, unless `promote` is asked for. 422 for a name that no photo
    extractor has, 409 for one whose weights are not here.
    """
    once = once_of(grant, idempotency_key, json.dumps(asked.model_dump(), sort_keys=True).encode())
    with context.engine.begin() as connection:

        def begin() -> dict[str, Any]:
            taxonomy_id, _ = find_taxonomy(connection, asked.taxonomy or None)
            check_extractors(context, asked)
            job_id, begun = request_training(connection, taxonomy_id, asked.plan())
            return {"training": job_id, "begun": begun}

        answer = answered_once(connection, once, begin)
    response.headers["Location"] = f"/v1/trainings/{answer['training']}"
    if not answer["begun"]:
        response.status_code = HTTPStatus.OK
    return show_training(answer["training"], context, grant)


def check_extractors(context: ApiContext, asked: TrainingAsked) -> None:
    """Refuse what photos cannot be described by here, as asked or by the settings; see ``check_photo_extractors``."""
    if asked.choose is not None:
        return
    wanted = asked.image_extractors or context.settings.photo_extractors_wanted()
    try:
        check_photo_extractors(wanted, lambda name: context.registry.weights_digest(name) is not None)
    except (InvalidInput, Conflict) as error:
        if asked.image_extractors:
            raise
        raise Conflict(f"RAYON_PHOTO_EXTRACTORS cannot be used: {error}") from error


@router.get("/{training_id}", response_model=TrainingShown)
def show_training(training_id: TrainingId, context: Context, grant: Reader) -> dict[str, Any]:
    """One training: how far it is, and the model version that it made."""
    with context.engine.connect() as connection:
        found = find_training(connection, training_id, grant.source_ids)
    if found is None:
        raise NotFound(f"there is no training {training_id}")
    return found
