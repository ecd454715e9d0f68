"""Feasibility studies: started, followed, and read: report, files, listings on the wrong shelf."""

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
from api.imports.schemas import licence_shown
from api.listings.routes import Cursor, Limit
from api.listings.schemas import Clean
from api.pagination import LARGEST_ID, cursor_after, decode_cursor, encode_cursor, id_of
from api.studies.schemas import StudyAsked, StudyPage, StudyShown, WrongShelves, shelf_table
from infra.store.collections.provenances import databases_of
from infra.store.studies.queries import find_study, list_studies, study_progress
from infra.store.studies.repository import request_study
from infra.store.taxonomies.repository import find_taxonomy
from pipeline.domain import extractors
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import NotFound
from pipeline.domain.study import WRONG_SHELVES, StudyStatus, file_type, study_key

router = APIRouter(prefix="/v1/studies", tags=["studies"])
StudyId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
LINKED = ("report.json", "report.en.html", "report.fr.html")
# A report brings its own style and script, and nothing from elsewhere; in a sandbox it reaches nothing of ours.
FILE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:",
    "Cache-Control": "private, max-age=300",
}
CSV = "text/csv; charset=utf-8"


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    response_model=StudyShown,
    responses={200: {"model": StudyShown, "description": "a study of this taxonomy runs already: this one"}},
)
def start_study(asked: StudyAsked, context: Context, grant: Admin, response: Response) -> dict[str, Any]:
    """Start a study, to be followed at `Location`; 200 and the one that runs when there is one of this taxonomy."""
    for name in asked.extractors:
        extractors.extractor_spec(name)
    with context.engine.begin() as connection:
        taxonomy_id, _ = find_taxonomy(connection, asked.taxonomy or None)
        study_id, begun = request_study(connection, taxonomy_id, asked.plan(), grant.name)
    response.headers["Location"] = f"/v1/studies/{study_id}"
    if not begun:
        response.status_code = HTTPStatus.OK
    return show_study(study_id, context, grant)


@router.get("", response_model=StudyPage)
def show_studies(
    context: Context, grant: Reader, taxonomy: Clean | None = None, cursor: Cursor = None, limit: Limit = 50
) -> dict[str, Any]:
    """Studies, newest first. A key bound to sources sees those of taxonomies that are wholly its own."""
    before = id_of(cursor)
    with context.engine.connect() as connection:
        found = list_studies(connection, grant.source_ids, limit + 1, before, taxonomy or None)
    return {"items": found[:limit], "next": cursor_after(found, limit)}


@router.get("/{study_id}", response_model=StudyShown)
def show_study(study_id: StudyId, context: Context, grant: Reader) -> dict[str, Any]:
    """One study: how far it is, its trials, its verdict, and where its files are."""
    with context.engine.connect() as connection:
        found = _find(connection, study_id, grant)
        running = found["status"] == StudyStatus.RUNNING
        doing = study_progress(connection, study_id)["doing"] if running else ""
    done = found["status"] == StudyStatus.DONE
    files = {name: f"/v1/studies/{study_id}/files/{name}" for name in LINKED} if done else {}
    return found | {"doing": doing, "files": files}


@router.get(
    "/{study_id}/report",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "the report, with every figure"}},
)
def read_report(study_id: StudyId, context: Context, grant: Reader) -> Response:
    """The whole report of a concluded study."""
    return read_file(study_id, "report.json", context, grant)


@router.get(
    "/{study_id}/files/{name:path}",
    response_class=Response,
    responses={200: {"content": {"text/html": {}, "image/png": {}, "text/csv": {}, "application/json": {}}}},
)
def read_file(study_id: StudyId, name: str, context: Context, grant: Reader) -> Response:
    """A file of a concluded study: report.en.html (opens from disk), figures/….png, tables/….csv, report.json."""
    media_type = file_type(name)
    with context.engine.connect() as connection:
        _find(connection, study_id, grant)
    if media_type is None:
        raise NotFound(f"study {study_id} has no file of this name")
    content = _stored(context, study_id, name)
    return Response(content, media_type=media_type, headers=FILE_HEADERS)


@router.get("/{study_id}/wrong-shelves.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def export_wrong_shelves(study_id: StudyId, context: Context, grant: Reader) -> Response:
    """All of them as CSV."""
    return _table(_shelves(study_id, context, grant)["items"], study_id)


@router.get(
    "/{study_id}/wrong-shelves",
    response_model=WrongShelves,
    responses={200: {"content": {"application/json": {}, "text/csv": {}}}},
)
def show_wrong_shelves(
    study_id: StudyId, request: Request, context: Context, grant: Reader, cursor: Cursor = None, limit: Limit = 50
) -> Any:
    """Listings whose category is probably wrong, most suspicious first; all of them as CSV with `Accept: text/csv`."""
    after = decode_cursor(cursor, [int])[0] if cursor else 0
    found = _shelves(study_id, context, grant)
    items = found["items"]
    if _wants_csv(request.headers.get("accept", "")):
        return _table(items, study_id)
    page = items[max(after, 0) :][:limit]
    more = len(items) > max(after, 0) + limit
    return {
        "study": study_id,
        "fingerprint": found["fingerprint"],
        "items": page,
        "next": encode_cursor([max(after, 0) + limit]) if more else None,
    }


def _find(connection: Connection, study_id: int, grant: Grant) -> dict[str, Any]:
    found = find_study(connection, study_id, grant.source_ids)
    if found is None:
        raise NotFound(f"there is no study {study_id}")
    return found


def _stored(context: ApiContext, study_id: int, name: str) -> bytes:
    try:
        return context.storage.get(study_key(study_id, name))
    except NotFound:
        raise NotFound(f"study {study_id} has no file {name}; a study has files once it is done") from None


def _shelves(study_id: int, context: ApiContext, grant: Grant) -> dict[str, Any]:
    with context.engine.connect() as connection:
        study = _find(connection, study_id, grant)
        items = json.loads(_stored(context, study_id, WRONG_SHELVES))
        attribute(connection, items)
    return {"fingerprint": study["fingerprint"], "items": items}


def attribute(connection: Connection, items: Sequence[dict[str, Any]]) -> list[str]:
    """Tell of wrong shelves of a study that did not keep it, whom they and the listings nearest to them are due to.

    Returns the attributions that were added, each once. Listings that are gone by now are due to nobody.
    """
    told = [(item, (item, *item.get("neighbours", ()))) for item in items if "attribution" not in item]
    ids = {one["listing_id"] for _, listings in told for one in listings if one.get("listing_id") is not None}
    databases = databases_of(connection, ids)
    added: dict[str, None] = {}
    for item, listings in told:
        licences = (licence_shown(databases.get(one.get("listing_id"))) for one in listings)
        due = dict.fromkeys(licence["attribution"] for licence in licences if licence)
        item["attribution"] = " ".join(due) or None
        added |= due
    return list(added)


def _table(items: list[dict[str, Any]], study_id: int) -> Response:
    headers = FILE_HEADERS | {"Content-Disposition": f'attachment; filename="wrong-shelves-{study_id}.csv"'}
    return StreamingResponse(shelf_table(items), media_type=CSV, headers=headers)


def _wants_csv(accept: str) -> bool:
    """Whether CSV stands before JSON in what is accepted."""
    named = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return next((name for name in named if name in ("text/csv", "application/json")), "") == "text/csv"
