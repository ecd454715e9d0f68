"""Imports: start and follow one, read the verdicts on its rows, compare, withdraw vanished products."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from api.auth import Admin, Reader
from api.context import ApiContext, Context
from api.imports.schemas import (
    DiffResponse,
    ImportPage,
    ImportResponse,
    ImportWithRows,
    NewImportRequest,
    ProductResponse,
    RowVerdictResponse,
    WithdrawalRequest,
    WithdrawalResponse,
)
from api.language import AnswerLanguage, with_reasons_in
from api.pagination import Cursor, Limit, cursor_after, decode_cursor, id_of
from api.parameters import IdempotencyHeader, RecordId, idempotency_key_of
from infra.store.imports.queries import (
    DifferenceKind,
    ImportView,
    find_differences,
    find_import,
    list_different_products,
    list_imports,
    list_verdicts,
)
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import NotFound
from pipeline.domain.job import Requested
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.verdict import Verdict
from pipeline.steps import collections, imports

router = APIRouter(prefix="/v1/imports", tags=["imports"])
LAST_ROW = 2**31 - 1
ALREADY_RUNNING_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": ImportResponse, "description": "an import of the same runs already: this one"}
}


@router.get("")
def show_imports(context: Context, grant: Reader, cursor: Cursor = None, limit: Limit = 50) -> ImportPage:
    """Imports, newest first."""
    before = id_of(cursor)
    with context.engine.connect() as connection:
        found = list_imports(connection, grant.source_ids, before, limit + 1)
    return ImportPage(items=[ImportResponse.of(one) for one in found[:limit]], next=cursor_after(found, limit))


@router.post("", status_code=HTTPStatus.ACCEPTED, responses=ALREADY_RUNNING_RESPONSES)
def start_import(
    asked: NewImportRequest,
    context: Context,
    grant: Admin,
    response: Response,
    idempotency_key: IdempotencyHeader = None,
) -> ImportResponse:
    """Import products from a product database, to be followed at `Location`.

    An import of the same query that stopped within the last two days continues where it stopped.
    """
    key = idempotency_key_of(grant, idempotency_key, asked)
    return requested_import(
        context, grant, response, collections.import_products(context.units, asked.request(), key=key)
    )


@router.get("/{import_id}")
def show_import(
    import_id: RecordId,
    context: Context,
    grant: Reader,
    language: AnswerLanguage,
    verdict: Verdict | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ImportWithRows:
    """One import with a page of its rows' verdicts; ``next`` is the cursor of the next page."""
    with context.engine.connect() as connection:
        found = _find(connection, import_id, grant)
        rows = list_verdicts(connection, import_id, verdict, row_of(cursor), limit + 1)
    page = [RowVerdictResponse.of(row) for row in rows[:limit]]
    shown = ImportWithRows.of(found, rows=page, next=cursor_after(rows, limit, "number"))
    return ImportWithRows(**with_reasons_in(language, shown.model_dump()))


@router.get("/{import_id}/diff")
def show_diff(
    import_id: RecordId,
    context: Context,
    grant: Reader,
    language: AnswerLanguage,
    kind: DifferenceKind | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DiffResponse:
    """The changes by an import, in counts; with a ``kind`` also the products, page by page.

    New, changed and unchanged are verdicts on the listings here; came_back and vanished compare a complete import with
    the previous complete import of the same query.
    """
    with context.engine.connect() as connection:
        differences = find_differences(connection, _find(connection, import_id, grant))
        after = row_of(cursor)
        found = [] if kind is None else list_different_products(connection, import_id, kind, after, limit + 1)
    items = [
        ProductResponse(**with_reasons_in(language, ProductResponse.of(one).model_dump())) for one in found[:limit]
    ]
    return DiffResponse.of(import_id, differences, kind=kind, items=items, next=cursor_after(found, limit, "number"))


@router.post("/{import_id}/withdraw-vanished")
def withdraw(
    import_id: RecordId, context: Context, grant: Admin, asked: WithdrawalRequest | None = None
) -> WithdrawalResponse:
    """Withdraw the listings of vanished products and cancel their jobs; importing a product again brings its listing
    back. Kept are listings that another import or query has, and those posted since."""
    with context.engine.connect() as connection:
        _find(connection, import_id, grant)
    done = imports.withdraw_vanished(context.units, import_id, even_most=asked is not None and asked.even_most)
    return WithdrawalResponse(withdrawn=done.withdrawn, kept=done.kept)


def requested_import(context: ApiContext, grant: Grant, response: Response, requested: Requested) -> ImportResponse:
    """The requested import, with its address in `Location`, and the status 200 when it runs already."""
    response.headers["Location"] = f"/v1/imports/{requested.id}"
    if not requested.is_new:
        response.status_code = HTTPStatus.OK
    with context.engine.connect() as connection:
        return ImportResponse.of(_find(connection, requested.id, grant))


def row_of(cursor: str | None) -> int:
    """The number of the row after which a page begins."""
    return min(max(decode_cursor(cursor, [int])[0], 0), LAST_ROW) if cursor else 0


def _find(connection: Connection, import_id: int, grant: Grant) -> ImportView:
    found = find_import(connection, import_id, grant.source_ids)
    if found is None:
        raise NotFound(Reason.of(ReasonCode.IMPORT_NOT_FOUND, id=import_id))
    return found
