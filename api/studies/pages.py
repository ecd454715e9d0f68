"""Pages of feasibility studies: the list with a trend chart and a form to start one; the progress and report of one."""

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
from api.web.rendering import PAGE_HEADERS, render
from api.web.session import PostedForm, SignedInVisitor, Visitor, require_admin
from infra.store.sources import list_sources
from infra.store.studies.queries import StudyView, find_study, list_studies, study_progress
from infra.store.taxonomies.queries import find_taxonomy
from pipeline.domain.errors import NotFound
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import LABEL_ISSUES_FILE, OPTIONAL_METHODS, StudyStatus, study_key
from pipeline.localisation.message_catalogues import SOURCE_LANGUAGE, gettext_noop
from pipeline.steps.studies import request_study

router = APIRouter()
PAGE_SIZE = 40
# Reports embed the photos of example listings as data URLs.
REPORT_HEADERS = {
    "Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' data:")
}
INVALID_SAMPLE = gettext_noop("The number of listings must be a whole number from 2 to 1,000,000, or empty.")
TAXONOMY_NEEDED = gettext_noop("Choose the catalogue to study.")


@router.get("/studies")
def show_studies(request: Request, context: Context, visitor: Visitor, cursor: str = "") -> Response:
    """Studies by taxonomy, newest first, and the form to start one."""
    return _list(request, context, visitor, {}, cursor)


@router.post("/studies")
def start_study(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Start a study and redirect to it, or to the running one of this taxonomy; on an error, show the form again."""
    require_admin(visitor)
    fields = {name: str(form.get(name, "")).strip()[:200] for name in ("taxonomy", "sample")}
    clusterings = [name for name in OPTIONAL_METHODS if form.get(name)]
    form_values = fields | dict.fromkeys(clusterings, "yes")
    try:
        requested = NewStudyRequest.model_validate(
            {n: v for n, v in fields.items() if v} | {"clusterings": clusterings}
        )
    except ValidationError:
        return _list(request, context, visitor, form_values | {"problem": INVALID_SAMPLE}, "")
    with context.engine.connect() as connection:
        visible_taxonomies = {source.taxonomy for source in list_sources(connection, visitor.grant.source_ids)}
        if requested.taxonomy not in visible_taxonomies:
            return _list(request, context, visitor, form_values | {"problem": TAXONOMY_NEEDED}, "")
        taxonomy = find_taxonomy(connection, requested.taxonomy)
    study = request_study(context.units, taxonomy.id, requested.plan(), visitor.grant.name)
    return RedirectResponse(f"/studies/{study.id}", HTTPStatus.SEE_OTHER)


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
        attributions = _missing_attributions(context, connection, study_id) if done else []
    body_language, body = _body(context, study_id, language_of(request).code) if done else (SOURCE_LANGUAGE, None)
    variables = {
        "study": study,
        "progress": progress,
        "body": body,
        "body_language": body_language,
        "running": running,
        "attributions": attributions,
    }
    return _with_report_headers(render(request, "studies/detail.html", visitor, variables))


@router.get("/studies/{study_id}/files/{name:path}")
def show_file(study_id: StudyId, name: str, context: Context, visitor: Visitor) -> Response:
    """A stored file of a study, for signed-in visitors."""
    return read_file(study_id, name, context, visitor.grant)


def _list(
    request: Request, context: ApiContext, visitor: SignedInVisitor, form_values: Mapping[str, str], cursor: str
) -> Response:
    before_id = id_of(cursor)
    with context.engine.connect() as connection:
        studies = list_studies(connection, visitor.grant.source_ids, PAGE_SIZE + 1, before_id)
        sources = list_sources(connection, visitor.grant.source_ids)
    page = studies[:PAGE_SIZE]
    by_taxonomy: dict[str, list[StudyView]] = {}
    for study in page:
        by_taxonomy.setdefault(study.taxonomy, []).append(study)
    running = any(study.status is StudyStatus.RUNNING for study in page)
    variables = {
        "groups": [(name, group, trend_lines(group)) for name, group in by_taxonomy.items()],
        "taxonomies": sorted({source.taxonomy for source in sources}),
        "older": cursor_after(studies, PAGE_SIZE),
        "running": running and not form_values,
        "form_values": form_values,
        "clusterings": OPTIONAL_METHODS,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form_values else HTTPStatus.OK
    return _with_report_headers(render(request, "studies/list.html", visitor, variables, status))


def _body(context: ApiContext, study_id: int, language: str) -> tuple[str, Markup | None]:
    """The report that the study rendered and stored as HTML (already escaped), and its language.

    English if the study did not render this language; None if the file no longer exists.
    """
    for code in dict.fromkeys((language, SOURCE_LANGUAGE)):
        try:
            body = context.storage.get(study_key(study_id, f"body.{code}.html")).decode()
            return code, Markup(body)  # noqa: S704  # escaped when the study rendered it
        except NotFound:
            continue
    return SOURCE_LANGUAGE, None


def _missing_attributions(context: ApiContext, connection: Connection, study_id: int) -> list[str]:
    """The attributions of label issues in a report that was written before reports stored them; else none."""
    try:
        return add_attributions(connection, json.loads(context.storage.get(study_key(study_id, LABEL_ISSUES_FILE))))
    except NotFound:
        return []


def _with_report_headers(response: Response) -> Response:
    response.headers.update(REPORT_HEADERS)
    return response


TREND_MODALITIES = ("text", "image", "fused")
TREND_TOP, TREND_BOTTOM = 12.0, 74.0  # pixels
TREND_LEFT, TREND_RIGHT = 6.0, 94.0  # percent of the width


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """A point of the trend chart: x in percent of the width, y in pixels, and the study and its best ARI."""

    x: str
    y: float
    study_id: int
    value: float


def trend_lines(studies: Sequence[StudyView]) -> dict[str, list[TrendPoint]]:
    """Best ARI of each modality over the concluded studies (passed newest first); empty with fewer than two."""
    concluded = [(study.id, study.best) for study in reversed(studies) if study.best]
    values = [value for _, best in concluded for value in best.values() if value is not None]
    if len(concluded) < 2 or not values:
        return {}
    minimum = min(values)
    value_range = max(max(values) - minimum, 0.1)
    lines: dict[str, list[TrendPoint]] = {}
    for modality in TREND_MODALITIES:
        for index, (study_id, best) in enumerate(concluded):
            value = best.get(modality)
            if value is not None:
                x = TREND_LEFT + (TREND_RIGHT - TREND_LEFT) * index / (len(concluded) - 1)
                y = TREND_BOTTOM - (TREND_BOTTOM - TREND_TOP) * (value - minimum) / value_range
                lines.setdefault(modality, []).append(TrendPoint(f"{x:.1f}%", round(y, 1), study_id, value))
    return lines
