"""Feasibility studies: their list with the trend, a form to start one, its progress, and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup
from pydantic import ValidationError
from sqlalchemy import Connection

from api.context import ApiContext, Context
from api.language import language_of
from api.pagination import cursor_after, id_of
from api.studies.routes import StudyId, add_attributions, read_file
from api.studies.schemas import NewStudyRequest
from api.web.rendering import HEADERS, render
from api.web.session import PostedForm, SignedIn, Visitor, require_admin
from infra.store.sources import list_sources
from infra.store.studies.queries import StudyView, find_study, list_studies, study_progress
from infra.store.taxonomies import find_taxonomy
from pipeline.domain.errors import NotFound
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import LABEL_ISSUES_FILE, OPTIONAL_METHODS, StudyStatus, study_key
from pipeline.localisation.message_catalogues import SOURCE_LANGUAGE, gettext_noop
from pipeline.steps.studies import request_study

router = APIRouter()
PAGE = 40
# The examples of a report are pictures inside the page.
POLICY = {
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' data:")
}
BAD_SAMPLE = gettext_noop("The number of listings must be a whole number from 2 to 1,000,000, or empty.")
BAD_TAXONOMY = gettext_noop("Choose the catalogue to study.")


@router.get("/studies")
def show_studies(request: Request, context: Context, visitor: Visitor, cursor: str = "") -> Response:
    """Studies by taxonomy, newest first, and the form to start one."""
    return _list(request, context, visitor, {}, cursor)


@router.post("/studies")
def start_study(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Start a study and redirect to it, or to the running one of this taxonomy; on an error, show the form again."""
    require_admin(visitor)
    given = {name: str(form.get(name, "")).strip()[:200] for name in ("taxonomy", "sample")}
    further = [name for name in OPTIONAL_METHODS if form.get(name)]
    given_again = given | dict.fromkeys(further, "yes")
    try:
        asked = NewStudyRequest.model_validate({n: v for n, v in given.items() if v} | {"clusterings": further})
    except ValidationError:
        return _list(request, context, visitor, given_again | {"problem": BAD_SAMPLE}, "")
    with context.engine.connect() as connection:
        mine = {source.taxonomy for source in list_sources(connection, visitor.grant.source_ids)}
        if asked.taxonomy not in mine:
            return _list(request, context, visitor, given_again | {"problem": BAD_TAXONOMY}, "")
        taxonomy = find_taxonomy(connection, asked.taxonomy)
    requested = request_study(context.units, taxonomy.id, asked.plan(), visitor.grant.name)
    return RedirectResponse(f"/studies/{requested.id}", HTTPStatus.SEE_OTHER)


@router.get("/studies/{study_id}")
def show_study(request: Request, study_id: StudyId, context: Context, visitor: Visitor) -> Response:
    """The progress of a study, trial by trial; once it is done, its report."""
    with context.engine.connect() as connection:
        study = find_study(connection, study_id, visitor.grant.source_ids)
        if study is None:
            raise NotFound(Reason.of(ReasonCode.STUDY_NOT_FOUND, id=study_id))
        running = study.status is StudyStatus.RUNNING
        progress = study_progress(connection, study_id) if running else None
        done = study.status is StudyStatus.DONE
        due_to = _due_to(context, connection, study_id) if done else []
    language, body = _body(context, study_id, language_of(request).code) if done else (SOURCE_LANGUAGE, None)
    variables = {
        "study": study,
        "progress": progress,
        "body": body,
        "body_language": language,
        "running": running,
        "due_to": due_to,
    }
    return _with_policy(render(request, "studies/detail.html", visitor, variables))


@router.get("/studies/{study_id}/files/{name:path}")
def show_file(study_id: StudyId, name: str, context: Context, visitor: Visitor) -> Response:
    """A stored file of a study, for those who signed in."""
    return read_file(study_id, name, context, visitor.grant)


def _list(request: Request, context: ApiContext, visitor: SignedIn, given: Mapping[str, str], cursor: str) -> Response:
    before = id_of(cursor)
    with context.engine.connect() as connection:
        found = list_studies(connection, visitor.grant.source_ids, PAGE + 1, before)
        sources = list_sources(connection, visitor.grant.source_ids)
    shown = found[:PAGE]
    by_taxonomy: dict[str, list[StudyView]] = {}
    for study in shown:
        by_taxonomy.setdefault(study.taxonomy, []).append(study)
    running = any(study.status is StudyStatus.RUNNING for study in shown)
    variables = {
        "groups": [(name, studies, trend_lines(studies)) for name, studies in by_taxonomy.items()],
        "taxonomies": sorted({source.taxonomy for source in sources}),
        "older": cursor_after(found, PAGE),
        "running": running and not given,
        "given": given,
        "clusterings": OPTIONAL_METHODS,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if given else HTTPStatus.OK
    return _with_policy(render(request, "studies/list.html", visitor, variables, status))


def _body(context: ApiContext, study_id: int, language: str) -> tuple[str, Markup | None]:
    """The part of the page that the study rendered itself, everything in it escaped, and its language.

    English where the study did not know the language; None when it is gone.
    """
    for code in dict.fromkeys((language, SOURCE_LANGUAGE)):
        try:
            body = context.storage.get(study_key(study_id, f"body.{code}.html")).decode()
            return code, Markup(body)  # noqa: S704  # escaped by the study
        except NotFound:
            continue
    return SOURCE_LANGUAGE, None


def _due_to(context: ApiContext, connection: Connection, study_id: int) -> list[str]:
    """The attributions of the label issues of a report that was written before reports stored them."""
    try:
        return add_attributions(connection, json.loads(context.storage.get(study_key(study_id, LABEL_ISSUES_FILE))))
    except NotFound:
        return []


def _with_policy(response: Response) -> Response:
    response.headers.update(POLICY)
    return response


SERIES = ("text", "image", "fused")
TOP, BOTTOM = 12.0, 74.0
LEFT, RIGHT = 6.0, 94.0


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """A point of the trend: its position and its text."""

    x: str
    y: float
    study_id: int
    value: float


def trend_lines(studies: Sequence[StudyView]) -> dict[str, list[TrendPoint]]:
    """Best ARI of each modality over the concluded studies (given newest first); empty with fewer than two."""
    concluded = [(study.id, study.best) for study in reversed(studies) if study.best]
    values = [value for _, best in concluded for value in best.values() if value is not None]
    if len(concluded) < 2 or not values:
        return {}
    low, high = min(values), max(values)
    height = max(high - low, 0.1)
    lines: dict[str, list[TrendPoint]] = {}
    for modality in SERIES:
        for place, (study_id, best) in enumerate(concluded):
            value = best.get(modality)
            if value is not None:
                x = LEFT + (RIGHT - LEFT) * place / (len(concluded) - 1)
                y = BOTTOM - (BOTTOM - TOP) * (value - low) / height
                lines.setdefault(modality, []).append(TrendPoint(f"{x:.1f}%", round(y, 1), study_id, value))
    return lines
