"""Feasibility studies: start and follow one, read its report, its files and its label issues."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from api.auth import Admin, Reader
from api.context import ApiContext, Context
from api.imports.schemas import LicenceResponse
from api.pagination import MAX_ID, Cursor, Limit, cursor_after, decode_cursor, encode_cursor, id_of
from api.parameters import Clean
from api.studies.schemas import (
    LabelIssueList,
    NewStudyRequest,
    StudyPage,
    StudyResponse,
    StudySummary,
    label_issues_csv,
)
from infra.store.listings.queries import databases_of
from infra.store.studies.queries import StudyDetails, find_study, list_studies, study_progress
from infra.store.taxonomies.queries import find_taxonomy
from pipeline.domain import extractors
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import NotFound
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import LABEL_ISSUES_FILE, StudyStatus, file_type, study_key
from pipeline.steps.studies import request_study

router = APIRouter(prefix="/v1/studies", tags=["studies"])
StudyId = Annotated[int, Path(ge=1, le=MAX_ID)]
LINKED_FILES = ("report.json", "report.en.html", "report.fr.html")
# Reports are self-contained, with inline styles and scripts; the sandbox keeps them from accessing this site.
FILE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:",
    "Cache-Control": "private, max-age=300",
}
CSV_TYPE = "text/csv; charset=utf-8"


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        200: {"model": StudyResponse, "description": "a study of this taxonomy is already running; returned instead"}
    },
)
def start_study(requested: NewStudyRequest, context: Context, grant: Admin, response: Response) -> StudyResponse:
    """Start a study and return it with its URL in `Location`; 200 and the running study if this taxonomy has one."""
    for name in requested.extractors:
        extractors.extractor_spec(name)
    with context.engine.connect() as connection:
        taxonomy = find_taxonomy(connection, requested.taxonomy or None)
    study = request_study(context.units, taxonomy.id, requested.plan(), grant.name)
    response.headers["Location"] = f"/v1/studies/{study.id}"
    if not study.is_new:
        response.status_code = HTTPStatus.OK
    return show_study(study.id, context, grant)


@router.get("")
def show_studies(
    context: Context, grant: Reader, taxonomy: Clean | None = None, cursor: Cursor = None, limit: Limit = 50
) -> StudyPage:
    """Studies, newest first. A key bound to sources sees only studies of taxonomies whose sources it all covers."""
    with context.engine.connect() as connection:
        studies = list_studies(connection, grant.source_ids, limit + 1, id_of(cursor), taxonomy or None)
    items = [StudySummary.model_validate(study) for study in studies[:limit]]
    return StudyPage(items=items, next=cursor_after(studies, limit))


@router.get("/{study_id}")
def show_study(study_id: StudyId, context: Context, grant: Reader) -> StudyResponse:
    """One study with its progress, trials and verdict, and the URLs of its files."""
    with context.engine.connect() as connection:
        study = _find(connection, study_id, grant)
        running = study.status is StudyStatus.RUNNING
        current_activity = study_progress(connection, study_id).doing if running else ""
    done = study.status is StudyStatus.DONE
    files = {name: f"/v1/studies/{study_id}/files/{name}" for name in LINKED_FILES} if done else {}
    return StudyResponse.of(study, current_activity, files)


@router.get(
    "/{study_id}/report",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "the report with all its values"}},
)
def read_report(study_id: StudyId, context: Context, grant: Reader) -> Response:
    """The report of a concluded study as JSON."""
    return read_file(study_id, "report.json", context, grant)


@router.get(
    "/{study_id}/files/{name:path}",
    response_class=Response,
    responses={200: {"content": {"text/html": {}, "image/png": {}, "text/csv": {}, "application/json": {}}}},
)
def read_file(study_id: StudyId, name: str, context: Context, grant: Reader) -> Response:
    """A file of a concluded study: report.en.html (self-contained), figures/….png, tables/….csv or report.json."""
    media_type = file_type(name)
    with context.engine.connect() as connection:
        _find(connection, study_id, grant)
    if media_type is None:
        raise NotFound(f"study {study_id} has no file of this name")
    content = _read_stored_file(context, study_id, name)
    return Response(content, media_type=media_type, headers=FILE_HEADERS)


@router.get("/{study_id}/wrong-shelves.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def export_wrong_shelves(study_id: StudyId, context: Context, grant: Reader) -> Response:
    """All label issues of a study as CSV."""
    return _label_issues_csv_response(_label_issues(study_id, context, grant).items, study_id)


@router.get(
    "/{study_id}/wrong-shelves",
    response_model=LabelIssueList,
    responses={200: {"content": {"application/json": {}, "text/csv": {}}}},
)
def show_wrong_shelves(
    study_id: StudyId, request: Request, context: Context, grant: Reader, cursor: Cursor = None, limit: Limit = 50
) -> LabelIssueList | Response:
    """Listings whose category is probably wrong, most suspicious first; all of them as CSV with `Accept: text/csv`."""
    after = max(decode_cursor(cursor, [int])[0], 0) if cursor else 0
    label_issues = _label_issues(study_id, context, grant)
    if _wants_csv(request.headers.get("accept", "")):
        return _label_issues_csv_response(label_issues.items, study_id)
    end = after + limit
    next_cursor = encode_cursor([end]) if len(label_issues.items) > end else None
    return label_issues.model_copy(update={"items": label_issues.items[after:end], "next": next_cursor})


def _find(connection: Connection, study_id: int, grant: Grant) -> StudyDetails:
    study = find_study(connection, study_id, grant.source_ids)
    if study is None:
        raise NotFound(Reason.of(ReasonCode.STUDY_NOT_FOUND, id=study_id))
    return study


def _read_stored_file(context: ApiContext, study_id: int, name: str) -> bytes:
    try:
        return context.storage.get(study_key(study_id, name))
    except NotFound:
        raise NotFound(f"study {study_id} has no file {name}; a study has files once it is done") from None


def _label_issues(study_id: int, context: ApiContext, grant: Grant) -> LabelIssueList:
    """All label issues of a study, each with its attribution."""
    with context.engine.connect() as connection:
        study = _find(connection, study_id, grant)
        items = json.loads(_read_stored_file(context, study_id, LABEL_ISSUES_FILE))
        add_attributions(connection, items)
    return LabelIssueList(study=study_id, fingerprint=study.fingerprint, items=items, next=None)


def add_attributions(connection: Connection, items: Sequence[dict[str, Any]]) -> list[str]:
    """Add the attributions of label issues and their nearest listings to items stored without them.

    Returns the distinct attributions that were added. Listings that no longer exist have none.
    """
    unattributed = [(item, (item, *item.get("neighbours", ()))) for item in items if "attribution" not in item]
    ids = {
        listing["listing_id"]
        for _, listings in unattributed
        for listing in listings
        if listing.get("listing_id") is not None
    }
    databases = databases_of(connection, ids)
    added: dict[str, None] = {}
    for item, listings in unattributed:
        licences = (LicenceResponse.of_database(databases.get(listing.get("listing_id"))) for listing in listings)
        attributions = dict.fromkeys(licence.attribution for licence in licences if licence)
        item["attribution"] = " ".join(attributions) or None
        added |= attributions
    return list(added)


def _label_issues_csv_response(items: list[dict[str, Any]], study_id: int) -> Response:
    headers = FILE_HEADERS | {"Content-Disposition": f'attachment; filename="wrong-shelves-{study_id}.csv"'}
    return StreamingResponse(label_issues_csv(items), media_type=CSV_TYPE, headers=headers)


def _wants_csv(accept: str) -> bool:
    """Whether text/csv comes before application/json in an Accept header."""
    media_types = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return (
        next((media_type for media_type in media_types if media_type in ("text/csv", "application/json")), "")
        == "text/csv"
    )
