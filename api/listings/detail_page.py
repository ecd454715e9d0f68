"""One listing's story, and a person's answer to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import require_listing
from api.context import ApiContext, Context
from api.imports.schemas import provenance_shown
from api.listings.pages import ListingId
from api.problems import Problem
from api.web.rendering import render
from api.web.session import PostedForm, SignedIn, Visitor
from infra.store.listings.history_query import read_story
from infra.store.listings.page_queries import list_categories
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.job import OPEN_STATES
from pipeline.steps.reviews import review

router = APIRouter()
STAGES = ("waited", "load", "fetch", "decode", "text", "image", "fuse", "write")
REST = "other"
NOTE_LIMIT = 2_000


@router.get("/listings/{listing_id}")
def show_story(request: Request, listing_id: ListingId, context: Context, visitor: Visitor) -> Response:
    """Everything that happened to one listing; the page follows while something is still to come."""
    return _page(request, context, visitor, listing_id)


@router.post("/listings/{listing_id}/review")
def post_review(
    request: Request, listing_id: ListingId, context: Context, visitor: Visitor, form: PostedForm
) -> Response:
    """Write a person's category, then show the story again."""
    if not visitor.may_submit:
        raise Problem(HTTPStatus.FORBIDDEN, "reviewing needs a key with the scope 'submit'")
    require_listing(context, visitor.grant, listing_id)
    given = {"category": str(form.get("category", ""))[:1000], "note": str(form.get("note", ""))[:NOTE_LIMIT]}
    try:
        review(context.units, listing_id, given["category"], visitor.grant.name, given["note"].strip())
    except InvalidInput as problem:
        return _page(request, context, visitor, listing_id, given | {"problem": str(problem)})
    return RedirectResponse(f"/listings/{listing_id}", HTTPStatus.SEE_OTHER)


def _page(
    request: Request, context: ApiContext, visitor: SignedIn, listing_id: int, given: Mapping[str, str] | None = None
) -> Response:
    with context.engine.connect() as connection:
        story = read_story(connection, listing_id, visitor.grant.source_ids)
        if story is None:
            raise NotFound(f"There is no listing {listing_id}, or it is not one that your key may see.")
        categories = list_categories(connection, None, story["source_id"])
    revisions = story["revisions"]
    now = revisions[0] if revisions else None
    jobs = now["jobs"] if now else []
    variables = {
        "story": story,
        "origin": provenance_shown(story["provenance"]),
        "now": now,
        "decision": now["decisions"][0] if now and now["decisions"] else None,
        "models": _by_model(now["predictions"]) if now else [],
        "attempts": [_timed(job, attempt) for job in reversed(jobs) for attempt in job["attempts"]],
        "following": any(job["state"] in OPEN_STATES for job in jobs),
        "dead": bool(jobs) and jobs[0]["state"] == "dead",
        "job": jobs[0] if jobs else None,
        "categories": categories,
        "given": given or {},
    }
    return render(request, "story.html", visitor, variables, 422 if given else HTTPStatus.OK)


def _by_model(predictions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predictions grouped by model version, newest first, text before image before fused."""
    order = ("text", "image", "fused")
    models: dict[int, dict[str, Any]] = {}
    for said in predictions:
        model = models.setdefault(
            said["model_id"], {"number": said["model"], "status": said["model_status"], "said": []}
        )
        model["said"].append(said)
    for model in models.values():
        model["said"].sort(key=lambda said: order.index(said["modality"]))
    return list(models.values())


def _timed(job: Mapping[str, Any], attempt: Mapping[str, Any]) -> dict[str, Any]:
    """An attempt with its stages in order, each with its seconds, and its place (0 to 100) on a bar of them all."""
    spent: dict[str, float] = dict(attempt["seconds"] or {})
    if attempt["attempt"] == 1:
        spent["waited"] = _between(job["created_at"], attempt["started_at"])
    if attempt["ended_at"] is not None:
        inside = sum(seconds for stage, seconds in spent.items() if stage != "waited")
        rest = _between(attempt["started_at"], attempt["ended_at"]) - inside
        if rest > 0.0005:
            spent[REST] = rest
    ordered = sorted(spent, key=lambda stage: STAGES.index(stage) if stage in STAGES else len(STAGES))
    whole = sum(spent.values()) or 1.0
    stages, start = [], 0.0
    for stage in ordered:
        width = 100 * spent[stage] / whole
        kind = stage if stage in STAGES else REST
        stages.append({"name": stage, "kind": kind, "seconds": spent[stage], "start": start, "width": width})
        start += width
    return {**attempt, "priority": job["priority"], "stages": stages, "whole": whole}


def _between(start: datetime, end: datetime) -> float:
    return max((end - start).total_seconds(), 0.0)
