"""The page of one listing: its decision, its history, and the form to review it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import require_listing
from api.context import ApiContext, Context
from api.imports.schemas import ProvenanceResponse
from api.parameters import RecordId
from api.problems import scope_problem
from api.web.rendering import render
from api.web.session import PostedForm, SignedInVisitor, Visitor
from infra.store.listings.history import AttemptOfJob, JobOfRevision, PredictionOfRevision, find_history
from infra.store.taxonomies.queries import list_categories
from pipeline.domain.api_key import Scope
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.job import OPEN_STATES, JobState
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.steps.review_listing import review

router = APIRouter()
STAGES = ("waited", "load", "fetch", "decode", "text", "image", "fuse", "write")
OTHER_STAGE = "other"
MAX_NOTE_LENGTH = 2_000
MODALITIES = [Modality.TEXT.value, Modality.IMAGE.value, Modality.FUSED.value]


@dataclass(frozen=True, slots=True)
class ModelPredictions:
    """The predictions of one model version: by the text, by the photo, and fused.

    Number and status are None for those by the names of the categories, without a model.
    """

    number: int | None
    status: str | None
    predictions: list[PredictionOfRevision]


@dataclass(frozen=True, slots=True)
class TimedStage:
    """A stage of an attempt: its duration in seconds, and its start and width in percent of the whole attempt."""

    name: str
    kind: str
    seconds: float
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class TimedAttempt:
    """An attempt with its stages in order, and their total duration in seconds."""

    attempt: AttemptOfJob
    priority: str
    stages: list[TimedStage]
    total: float


@router.get("/listings/{listing_id}")
def show_listing(request: Request, listing_id: RecordId, context: Context, visitor: Visitor) -> Response:
    """The full history of one listing; the page refreshes itself while the listing has open jobs."""
    return _page(request, context, visitor, listing_id)


@router.post("/listings/{listing_id}/review")
def post_review(
    request: Request, listing_id: RecordId, context: Context, visitor: Visitor, form: PostedForm
) -> Response:
    """Store a reviewer's category, then show the listing again."""
    if not visitor.may_submit:
        raise scope_problem(Scope.SUBMIT)
    require_listing(context, visitor.grant, listing_id)
    form_values = {
        "category": str(form.get("category", ""))[:1000],
        "note": str(form.get("note", ""))[:MAX_NOTE_LENGTH],
    }
    try:
        review(context.units, listing_id, form_values["category"], visitor.grant.name, form_values["note"].strip())
    except InvalidInput as problem:
        return _page(request, context, visitor, listing_id, form_values | {"problem": reason_of(problem)})
    return RedirectResponse(f"/listings/{listing_id}", HTTPStatus.SEE_OTHER)


def _page(
    request: Request,
    context: ApiContext,
    visitor: SignedInVisitor,
    listing_id: int,
    form_values: Mapping[str, object] | None = None,
) -> Response:
    with context.engine.connect() as connection:
        history = find_history(connection, listing_id, visitor.grant.source_ids)
        if history is None:
            raise NotFound(Reason.of(ReasonCode.LISTING_NOT_FOUND, id=listing_id))
        categories = list_categories(connection, None, history.card.source_id)
    current = history.revisions[0] if history.revisions else None
    jobs = current.jobs if current else []
    variables = {
        "listing": history.card,
        "history": history,
        "provenance": ProvenanceResponse.of(history.provenance),
        "current": current,
        "decision": current.decisions[0] if current and current.decisions else None,
        "models": _by_model(current.predictions) if current else [],
        "attempts": [_timed_attempt(job, attempt) for job in reversed(jobs) for attempt in job.attempts],
        "following": any(job.state in OPEN_STATES for job in jobs),
        "dead": bool(jobs) and jobs[0].state == JobState.DEAD,
        "job": jobs[0] if jobs else None,
        "categories": categories,
        "form_values": form_values or {},
    }
    return render(request, "listings/detail.html", visitor, variables, 422 if form_values else HTTPStatus.OK)


def _by_model(predictions: Sequence[PredictionOfRevision]) -> list[ModelPredictions]:
    """Predictions by model version, newest first, those by names alone last."""
    models: dict[int | None, ModelPredictions] = {}
    for prediction in predictions:
        new_model = ModelPredictions(prediction.model, prediction.model_status, [])
        models.setdefault(prediction.model_id, new_model).predictions.append(prediction)
    for model in models.values():
        model.predictions.sort(key=lambda prediction: MODALITIES.index(prediction.modality))
    return list(models.values())


def _timed_attempt(job: JobOfRevision, attempt: AttemptOfJob) -> TimedAttempt:
    seconds = dict(attempt.seconds or {})
    if attempt.attempt == 1:
        seconds["waited"] = _seconds_between(job.created_at, attempt.started_at)
    if attempt.ended_at is not None:
        measured_seconds = sum(duration for stage, duration in seconds.items() if stage != "waited")
        unmeasured_seconds = _seconds_between(attempt.started_at, attempt.ended_at) - measured_seconds
        if unmeasured_seconds > 0.0005:
            seconds[OTHER_STAGE] = unmeasured_seconds
    total = sum(seconds.values()) or 1.0
    stages, start = [], 0.0
    for stage in sorted(seconds, key=lambda name: STAGES.index(name) if name in STAGES else len(STAGES)):
        width = 100 * seconds[stage] / total
        stages.append(TimedStage(stage, stage if stage in STAGES else OTHER_STAGE, seconds[stage], start, width))
        start += width
    return TimedAttempt(attempt, job.priority, stages, total)


def _seconds_between(start: datetime, end: datetime) -> float:
    return max((end - start).total_seconds(), 0.0)
