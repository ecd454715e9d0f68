"""Imports: start and follow one, read its row verdicts and its changes, withdraw vanished products."""

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
    list_imports,
    list_products_of_kind,
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
MAX_ROW_NUMBER = 2**31 - 1
ALREADY_RUNNING_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": ImportResponse, "description": "the same import is already running; returned instead"}
}


@router.get("")
def show_imports(context: Context, grant: Reader, cursor: Cursor = None, limit: Limit = 50) -> ImportPage:
    """Imports, newest first."""
    before_id = id_of(cursor)
    with context.engine.connect() as connection:
        import_views = list_imports(connection, grant.source_ids, before_id, limit + 1)
    items = [ImportResponse.of(import_view) for import_view in import_views[:limit]]
    return ImportPage(items=items, next=cursor_after(import_views, limit))


@router.post("", status_code=HTTPStatus.ACCEPTED, responses=ALREADY_RUNNING_RESPONSES)
def start_import(
    requested: NewImportRequest,
    context: Context,
    grant: Admin,
    response: Response,
    idempotency_key: IdempotencyHeader = None,
) -> ImportResponse:
    """Start an import from a product database; its URL is in `Location`.

    An import of the same query that stopped within the last two days continues where it stopped.
    """
    key = idempotency_key_of(grant, idempotency_key, requested)
    return requested_import_response(
        context, grant, response, collections.import_products(context.units, requested.request(), key=key)
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
        import_view = _find(connection, import_id, grant)
        rows = list_verdicts(connection, import_id, verdict, row_number_of(cursor), limit + 1)
    page = [RowVerdictResponse.of(row) for row in rows[:limit]]
    body = ImportWithRows.of(import_view, rows=page, next=cursor_after(rows, limit, "number"))
    return ImportWithRows(**with_reasons_in(language, body.model_dump()))


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
    """The counts of changes made by an import; with a ``kind`` also a page of the products.

    New, changed and unchanged are verdicts against the stored listings; came_back and vanished compare a complete
    import with the previous complete import of the same query.
    """
    with context.engine.connect() as connection:
        differences = find_differences(connection, _find(connection, import_id, grant))
        after = row_number_of(cursor)
        products = [] if kind is None else list_products_of_kind(connection, import_id, kind, after, limit + 1)
    items = [
        ProductResponse(**with_reasons_in(language, ProductResponse.of(product).model_dump()))
        for product in products[:limit]
    ]
    return DiffResponse.of(import_id, differences, kind=kind, items=items, next=cursor_after(products, limit, "number"))


@router.post("/{import_id}/withdraw-vanished")
def withdraw(
    import_id: RecordId, context: Context, grant: Admin, requested: WithdrawalRequest | None = None
) -> WithdrawalResponse:
    """Withdraw the listings of vanished products and cancel their jobs; importing a product again restores its listing.
    Listings that another import or query still has, or that were posted since, are kept."""
    with context.engine.connect() as connection:
        _find(connection, import_id, grant)
    result = imports.withdraw_vanished(
        context.units, import_id, even_most=requested is not None and requested.even_most
    )
    return WithdrawalResponse(withdrawn=result.withdrawn, kept=result.kept)


def requested_import_response(
    context: ApiContext, grant: Grant, response: Response, requested: Requested
) -> ImportResponse:
    """The requested import, with its URL in `Location`, and status 200 if it was already running."""
    response.headers["Location"] = f"/v1/imports/{requested.id}"
    if not requested.is_new:
        response.status_code = HTTPStatus.OK
    with context.engine.connect() as connection:
        return ImportResponse.of(_find(connection, requested.id, grant))


def row_number_of(cursor: str | None) -> int:
    """The row number in a cursor, after which the page starts; 0 without a cursor."""
    return min(max(decode_cursor(cursor, [int])[0], 0), MAX_ROW_NUMBER) if cursor else 0


def _find(connection: Connection, import_id: int, grant: Grant) -> ImportView:
    import_view = find_import(connection, import_id, grant.source_ids)
    if import_view is None:
        raise NotFound(Reason.of(ReasonCode.IMPORT_NOT_FOUND, id=import_id))
    return import_view
