"""Model versions side by side, how far a training is, and for admins the buttons: train, promote."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from api.context import Context
from api.listings.pages import ListingId
from api.trainings.routes import check_extractors
from api.trainings.schemas import TrainingAsked
from api.web.rendering import render
from api.web.session import PostedForm, Visitor, require_admin
from infra.store.jobs.long_jobs import request_training
from infra.store.listings.page_queries import list_sources
from infra.store.models.queries import latest_trainings, list_models
from infra.store.taxonomies.repository import find_taxonomy
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import NotFound
from pipeline.domain.job import JobState
from pipeline.steps.models import promote

router = APIRouter()
ENDED = (JobState.DONE, JobState.SUPERSEDED, JobState.DEAD)


@router.get("/models")
def show_models(request: Request, context: Context, visitor: Visitor) -> Response:
    """Model versions by taxonomy, with their figures on listings they had not seen, and the latest training of each."""
    with context.engine.connect() as connection:
        models = list_models(connection, visitor.grant.source_ids)
        trainings = latest_trainings(connection, visitor.grant.source_ids)
        taxonomies = sorted(_taxonomies(connection, visitor.grant) | {model["taxonomy"] for model in models})
    trained = {model["taxonomy"] for model in models} | set(trainings)
    # Many a source never gets a model: the taxonomies that have something to show come first.
    taxonomies.sort(key=lambda name: name not in trained)
    shown = {name: _doing(training) for name, training in trainings.items()}
    variables = {
        "groups": [(name, [m for m in models if m["taxonomy"] == name], shown.get(name)) for name in taxonomies],
        "following": any(training["doing"] for training in shown.values()),
    }
    return render(request, "models.html", visitor, variables)


@router.post("/models/train")
def start_training(context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Train a version as the settings and the latest study say; the one that runs already, if there is one."""
    require_admin(visitor, "training")
    asked = str(form.get("taxonomy", ""))
    with context.engine.begin() as connection:
        if asked not in _taxonomies(connection, visitor.grant):
            raise NotFound("There is no such taxonomy: go back to the models and choose one.")
        taxonomy_id, _ = find_taxonomy(connection, asked)
        check_extractors(context, plain := TrainingAsked())
        request_training(connection, taxonomy_id, plain.plan())
    return RedirectResponse("/models", HTTPStatus.SEE_OTHER)


@router.post("/models/{model_id}/promote")
def promote_model(model_id: ListingId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Make a version the active one of its taxonomy."""
    require_admin(visitor, "promoting")
    promote(context.units, model_id)
    return RedirectResponse("/models", HTTPStatus.SEE_OTHER)


def _taxonomies(connection: Connection, grant: Grant) -> set[str]:
    return {source.taxonomy for source in list_sources(connection, grant.source_ids)}


def _doing(training: Mapping[str, Any]) -> dict[str, Any]:
    """The training with ``doing``, a sentence while it goes on, else None; and ``share`` of it, once it has begun."""
    waiting = training["state"] != JobState.LEASED
    doing = None if training["state"] in ENDED else training["note"] or "waiting for a worker of role train"
    return {**training, "doing": doing, "share": None if waiting else training["progress"]}
