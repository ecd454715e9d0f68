"""The page of models: versions and their metrics, training progress, and for admins buttons to train and promote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from api.context import Context
from api.parameters import RecordId
from api.trainings.routes import check_extractors
from api.web.rendering import render
from api.web.session import PostedForm, Visitor, require_admin
from infra.store.models import list_models
from infra.store.sources import list_sources
from infra.store.taxonomies.queries import find_taxonomy
from infra.store.trainings import TrainingView, latest_trainings
from pipeline.domain.api_key import Grant
from pipeline.domain.bundled_weights import all_bundled_weights
from pipeline.domain.category import MAX_DEPTH
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.job import FINAL_STATES, JobState
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.training import TrainingRequest
from pipeline.localisation.message_catalogues import gettext_noop
from pipeline.steps.models import promote
from pipeline.steps.trainings import request_training

router = APIRouter()


@router.get("/models")
def show_models(request: Request, context: Context, visitor: Visitor) -> Response:
    """Model versions by taxonomy, with held-out metrics, and the latest training of each taxonomy."""
    with context.engine.connect() as connection:
        models = list_models(connection, visitor.grant.source_ids)
        trainings = latest_trainings(connection, visitor.grant.source_ids)
        taxonomies = sorted(_visible_taxonomies(connection, visitor.grant) | {model.taxonomy for model in models})
    trained = {model.taxonomy for model in models} | set(trainings)
    # Many taxonomies never get a model: those with a model or a training come first.
    taxonomies.sort(key=lambda name: name not in trained)
    trainings_on_page = {name: _training_on_page(training) for name, training in trainings.items()}
    variables = {
        "groups": [
            (name, [m for m in models if m.taxonomy == name], trainings_on_page.get(name)) for name in taxonomies
        ],
        "following": any(training.doing for training in trainings_on_page.values()),
        "bundled_weights": all_bundled_weights(),
        "max_depth": MAX_DEPTH,
    }
    return render(request, "models/list.html", visitor, variables)


@router.post("/models/train")
def start_training(context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Train a version by the settings and the latest study, unless a training of the taxonomy is already running.

    A least useful level that is no level counts as 1.
    """
    require_admin(visitor)
    taxonomy_name = str(form.get("taxonomy", ""))
    with context.engine.connect() as connection:
        if taxonomy_name not in _visible_taxonomies(connection, visitor.grant):
            raise NotFound(Reason(ReasonCode.TAXONOMY_NOT_FOUND))
        taxonomy = find_taxonomy(connection, taxonomy_name)
    check_extractors(context, request := TrainingRequest(min_level=_min_level(str(form.get("min_level", "")))))
    request_training(context.units, taxonomy.id, request)
    return RedirectResponse("/models", HTTPStatus.SEE_OTHER)


@router.post("/models/{model_id}/promote")
def promote_model(model_id: RecordId, context: Context, visitor: Visitor, _form: PostedForm) -> Response:
    """Make a version the active one of its taxonomy."""
    require_admin(visitor)
    promote(context.units, model_id)
    return RedirectResponse("/models", HTTPStatus.SEE_OTHER)


def _min_level(text: str) -> int:
    """The least useful level of the form, 1 where it is empty; InvalidInput for anything but a level."""
    text = text.strip() or "1"
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_DEPTH)) and 1 <= int(text) <= MAX_DEPTH):
        raise InvalidInput(f"the least useful level is '{text[:20]}'; choose one from 1 to {MAX_DEPTH}")
    return int(text)


def _visible_taxonomies(connection: Connection, grant: Grant) -> set[str]:
    return {source.taxonomy for source in list_sources(connection, grant.source_ids)}


@dataclass(frozen=True, slots=True)
class TrainingOnPage:
    """A training; ``doing`` is its current activity, None once it ended; ``share`` (0 to 1) is set while it runs."""

    id: int
    created_at: datetime
    ended_at: datetime | None
    note: str
    model_id: int | None
    doing: str | None
    share: float | None


def _training_on_page(training: TrainingView) -> TrainingOnPage:
    doing = (
        None if training.state in FINAL_STATES else training.note or gettext_noop("waiting for a worker of role train")
    )
    return TrainingOnPage(
        training.id,
        training.created_at,
        training.ended_at,
        training.note,
        training.model_id,
        doing,
        training.progress if training.state is JobState.LEASED else None,
    )
