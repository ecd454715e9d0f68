"""Feasibility studies: their list with the trend, a form to start one, its progress, and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup
from pydantic import ValidationError
from sqlalchemy import Connection

from api.cursor import cursor_after, id_of
from api.house import House, InHouse
from api.pages.rendering import HEADERS, render
from api.pages.session import PostedForm, SignedIn, Visitor
from api.pages.study_words import StudyWords, preferred
from api.pages.trend import trend_lines
from api.problems import Problem
from api.routes.studies import StudyId, attribute, read_file
from api.schemas.listings import Clean
from api.schemas.studies import StudyAsked
from infra.store.catalogue import find_taxonomy
from infra.store.queries.pages import list_sources
from infra.store.queries.studies import find_study, list_studies, study_progress
from infra.store.studies import request_study
from pipeline.domain.errors import NotFound
from pipeline.domain.study import FURTHER, WRONG_SHELVES, StudyStatus, study_key

router = APIRouter()
PAGE = 40
# The examples of a report are pictures inside the page.
POLICY = {
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' data:")
}
Lang = Annotated[Clean, Query(max_length=8)]


@router.get("/studies")
def show_studies(request: Request, house: InHouse, visitor: Visitor, lang: Lang = "", cursor: str = "") -> Response:
    """Studies by taxonomy, newest first, and the form to start one."""
    return _list(request, house, visitor, _words(request, lang), {}, cursor)


@router.post("/studies")
def start_study(request: Request, house: InHouse, visitor: Visitor, form: PostedForm) -> Response:
    """Start a study and lead to it, or to the one of this taxonomy that runs; else the form again with a sentence."""
    if not visitor.is_admin:
        raise Problem(HTTPStatus.FORBIDDEN, "starting a study needs a key with the scope 'admin'")
    words = _words(request, str(form.get("lang", "")))
    given = {name: str(form.get(name, "")).strip()[:200] for name in ("taxonomy", "sample")}
    further = [name for name in FURTHER if form.get(name)]
    given_again = given | dict.fromkeys(further, "yes")
    try:
        asked = StudyAsked.model_validate({n: v for n, v in given.items() if v} | {"clusterings": further})
    except ValidationError:
        return _list(request, house, visitor, words, given_again | {"problem": words("bad_sample")}, "")
    with house.engine.begin() as connection:
        mine = {source.taxonomy for source in list_sources(connection, visitor.grant.source_ids)}
        if asked.taxonomy not in mine:
            return _list(request, house, visitor, words, given_again | {"problem": words("bad_taxonomy")}, "")
        taxonomy_id, _ = find_taxonomy(connection, asked.taxonomy)
        study_id, _ = request_study(connection, taxonomy_id, asked.plan(), visitor.grant.name)
    return RedirectResponse(f"/studies/{study_id}?lang={words.code}", HTTPStatus.SEE_OTHER)


@router.get("/studies/{study_id}")
def show_study(request: Request, study_id: StudyId, house: InHouse, visitor: Visitor, lang: Lang = "") -> Response:
    """How far a study is, trial by trial; once it is done, its report."""
    words = _words(request, lang)
    with house.engine.connect() as connection:
        study = find_study(connection, study_id, visitor.grant.source_ids)
        if study is None:
            raise NotFound(f"There is no study {study_id}, or it is not one that your key may see.")
        running = study["status"] == StudyStatus.RUNNING
        progress = study_progress(connection, study_id) if running else None
        done = study["status"] == StudyStatus.DONE
        due_to = _due_to(house, connection, study_id) if done else []
    body = _body(house, study_id, words.code) if done else None
    context = {"w": words, "study": study, "progress": progress, "body": body, "running": running, "due_to": due_to}
    return _with_policy(render(request, "study.html", visitor, context))


@router.get("/studies/{study_id}/files/{name:path}")
def show_file(study_id: StudyId, name: str, house: InHouse, visitor: Visitor) -> Response:
    """A stored file of a study, for those who signed in."""
    return read_file(study_id, name, house, visitor.grant)


def _list(
    request: Request, house: House, visitor: SignedIn, words: StudyWords, given: Mapping[str, str], cursor: str
) -> Response:
    before = id_of(cursor)
    with house.engine.connect() as connection:
        found = list_studies(connection, visitor.grant.source_ids, PAGE + 1, before)
        sources = list_sources(connection, visitor.grant.source_ids)
    shown = found[:PAGE]
    by_taxonomy: dict[str, list[dict[str, Any]]] = {}
    for study in shown:
        by_taxonomy.setdefault(study["taxonomy"], []).append(study)
    running = any(study["status"] == StudyStatus.RUNNING for study in shown)
    context = {
        "w": words,
        "groups": [(name, studies, trend_lines(studies)) for name, studies in by_taxonomy.items()],
        "taxonomies": sorted({source.taxonomy for source in sources}),
        "older": cursor_after(found, PAGE),
        "running": running and not given,
        "given": given,
        "clusterings": FURTHER,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if given else HTTPStatus.OK
    return _with_policy(render(request, "studies.html", visitor, context, status))


def _body(house: House, study_id: int, language: str) -> Markup | None:
    """The part of the page that the study rendered itself, everything in it escaped; None when it is gone."""
    try:
        return Markup(house.storage.get(study_key(study_id, f"body.{language}.html")).decode())  # noqa: S704
    except NotFound:
        return None


def _due_to(house: House, connection: Connection, study_id: int) -> list[str]:
    """Whom the wrong shelves of a report are due to that does not say so itself: it is older than attributions are."""
    try:
        return attribute(connection, json.loads(house.storage.get(study_key(study_id, WRONG_SHELVES))))
    except NotFound:
        return []


def _words(request: Request, asked: str) -> StudyWords:
    return StudyWords(preferred(asked, request.headers.get("accept-language", "")))


def _with_policy(response: Response) -> Response:
    response.headers.update(POLICY)
    # The language of the answer may hang on the header.
    response.headers["Vary"] = "Accept-Language"
    return response
