"""Imports: start one from a product database, follow it, read the verdict of every row, withdraw what vanished."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from api.auth import Admin, Reader
from api.collections.schemas import ProductsAsked
from api.context import ApiContext, Context
from api.imports.schemas import (
    DiffShown,
    ImportPage,
    ImportShown,
    ImportWithRows,
    VanishedAsked,
    WithdrawalShown,
    shown,
)
from api.listings.routes import Cursor, IdempotencyHeader, Limit, once_of
from api.pagination import LARGEST_ID, cursor_after, decode_cursor, id_of
from infra.store.imports.difference_queries import DiffKind, diff_of, diff_rows
from infra.store.imports.queries import find_import, import_rows, list_imports
from infra.store.imports.vanished import withdraw_vanished
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import NotFound
from pipeline.domain.job import Requested
from pipeline.domain.verdict import Verdict
from pipeline.steps import collections

router = APIRouter(prefix="/v1/imports", tags=["imports"])
ImportId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
LAST_ROW = 2**31 - 1


@router.get("", response_model=ImportPage)
def show_imports(context: Context, grant: Reader, cursor: Cursor = None, limit: Limit = 50) -> dict[str, Any]:
    """Imports, newest first."""
    before = id_of(cursor)
    with context.engine.connect() as connection:
        found = list_imports(connection, grant.source_ids, before, limit + 1)
    return {"items": [shown(one) for one in found[:limit]], "next": cursor_after(found, limit)}


@router.get("/{import_id}", response_model=ImportWithRows)
def show_import(
    import_id: ImportId,
    context: Context,
    grant: Reader,
    verdict: Verdict | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """One import with a page of its rows' verdicts; ``next`` walks the rows."""
    with context.engine.connect() as connection:
        found = _find(connection, import_id, grant)
        rows = import_rows(connection, import_id, verdict, row_of(cursor), limit + 1)
    return shown(found) | {"rows": rows[:limit], "next": cursor_after(rows, limit, "number")}


@router.get("/{import_id}/diff", response_model=DiffShown)
def show_diff(
    import_id: ImportId,
    context: Context,
    grant: Reader,
    kind: DiffKind | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """What an import changed, in counts; with a ``kind`` also its products, page by page.

    New, changed and unchanged are verdicts on the listings here; came_back and vanished compare a run that met all
    there is with the last such run of the same query.
    """
    with context.engine.connect() as connection:
        found = _find(connection, import_id, grant)
        told = diff_of(connection, found)
        rows = [] if kind is None else diff_rows(connection, import_id, kind, row_of(cursor), limit + 1)
    return told | {"kind": kind, "items": rows[:limit], "next": cursor_after(rows, limit, "number")}


@router.post("/{import_id}/withdraw-vanished", response_model=WithdrawalShown)
def withdraw(
    import_id: ImportId, context: Context, grant: Admin, asked: VanishedAsked | None = None
) -> WithdrawalShown:
    """Withdraw the listings of products that vanished, and cancel their jobs; a product met again brings its listing
    back. Kept are those that another import met since or another query has, and those that were posted since."""
    with context.engine.connect() as connection:
        _find(connection, import_id, grant)
    gone = withdraw_vanished(context.engine, import_id, asked is not None and asked.even_most)
    return WithdrawalShown(withdrawn=gone.withdrawn, kept=gone.kept)


def row_of(cursor: str | None) -> int:
    """The number of the row after which a page begins."""
    return min(max(decode_cursor(cursor, [int])[0], 0), LAST_ROW) if cursor else 0


def _find(connection: Connection, import_id: int, grant: Grant) -> dict[str, Any]:
    found = find_import(connection, import_id, grant.source_ids)
    if found is None:
        raise NotFound(f"there is no import {import_id}")
    return found


RUNS_ALREADY: dict[int | str, dict[str, Any]] = {
    200: {"model": ImportShown, "description": "an import of the same runs already: this one"}
}


@router.post("", status_code=HTTPStatus.ACCEPTED, responses=RUNS_ALREADY)
def start_import(
    asked: ProductsAsked,
    context: Context,
    grant: Admin,
    response: Response,
    idempotency_key: IdempotencyHeader = None,
) -> ImportShown:
    """Bring in products from a product database, to be followed at `Location`.

    An import of the same query that stopped within the last two days continues where it stopped.
    """
    once = once_of(grant, idempotency_key, json.dumps(asked.model_dump(), sort_keys=True).encode())
    requested = collections.import_products(context.units, asked.request(), once=once)
    return begun_import(context, grant, response, requested)


def begun_import(context: ApiContext, grant: Grant, response: Response, requested: Requested) -> ImportShown:
    """The import that was asked for, its address in `Location`, and the status 200 when it ran already."""
    response.headers["Location"] = f"/v1/imports/{requested.id}"
    if not requested.is_new:
        response.status_code = HTTPStatus.OK
    with context.engine.connect() as connection:
        return ImportShown.model_validate(shown(_find(connection, requested.id, grant)))
