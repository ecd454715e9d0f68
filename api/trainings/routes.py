"""Trainings of model versions: start and follow one; a worker runs it."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from api.auth import Admin, Reader
from api.context import ApiContext, Context
from api.parameters import IdempotencyHeader, RecordId, idempotency_key_of
from api.trainings.schemas import NewTrainingRequest, TrainingResponse
from infra.store.taxonomies.queries import find_taxonomy
from infra.store.trainings import find_training
from pipeline.domain.errors import Conflict, InvalidInput, NotFound
from pipeline.domain.extractors import check_photo_extractors
from pipeline.domain.training import TrainingRequest
from pipeline.steps import trainings

router = APIRouter(prefix="/v1/trainings", tags=["models"])


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        200: {
            "model": TrainingResponse,
            "description": "a training of this taxonomy is already running; returned instead",
        }
    },
)
def start_training(
    requested: NewTrainingRequest,
    context: Context,
    grant: Admin,
    response: Response,
    idempotency_key: IdempotencyHeader = None,
) -> TrainingResponse:
    """Train a model version on all labelled listings; the URL of the training is in `Location`.

    If a training of this taxonomy is already running, it is returned with status 200. The first version of a taxonomy
    becomes active; a later one is a candidate until it is promoted, unless `promote` is set. 422 for an unknown photo
    extractor, 409 for one whose weights are not installed.
    """
    key = idempotency_key_of(grant, idempotency_key, requested)
    with context.engine.connect() as connection:
        taxonomy = find_taxonomy(connection, requested.taxonomy or None)
    check_extractors(context, requested.request())
    training = trainings.request_training(context.units, taxonomy.id, requested.request(), key)
    response.headers["Location"] = f"/v1/trainings/{training.id}"
    if not training.is_new:
        response.status_code = HTTPStatus.OK
    return show_training(training.id, context, grant)


def check_extractors(context: ApiContext, request: TrainingRequest) -> None:
    """Raise InvalidInput or Conflict for photo extractors, of the request or the settings, that cannot be used."""
    if request.choose is not None:
        return
    extractors = request.image_extractors or context.settings.photo_extractors_wanted()
    try:
        check_photo_extractors(extractors, lambda name: context.registry.weights_digest(name) is not None)
    except (InvalidInput, Conflict) as error:
        if request.image_extractors:
            raise
        raise Conflict(f"RAYON_PHOTO_EXTRACTORS cannot be used: {error}") from error


@router.delete("/{training_id}", responses={409: {"description": "the training has ended already"}})
def cancel_training(training_id: RecordId, context: Context, grant: Admin) -> TrainingResponse:
    """Cancel a training that waits or runs: it ends within seconds to minutes, and no model version is saved."""
    show_training(training_id, context, grant)
    trainings.cancel_training(context.units, training_id, grant.name)
    return show_training(training_id, context, grant)


@router.get("/{training_id}")
def show_training(training_id: RecordId, context: Context, grant: Reader) -> TrainingResponse:
    """One training: its progress, and the model version it produced."""
    with context.engine.connect() as connection:
        training = find_training(connection, training_id, grant.source_ids)
    if training is None:
        raise NotFound(f"there is no training {training_id}")
    return TrainingResponse.model_validate(training)
