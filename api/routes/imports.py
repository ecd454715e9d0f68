"""Imports: how far they are, the verdict of every row, what they changed; what vanished is withdrawn on request."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy import Connection

from api.access import Admin, Reader
from api.cursor import LARGEST_ID, cursor_after, decode_cursor, id_of
from api.house import InHouse
from api.routes.reading import Cursor, Limit
from api.schemas.imports import DiffShown, ImportPage, ImportWithRows, VanishedAsked, WithdrawalShown, shown
from infra.access import Grant
from infra.store.queries.differences import DiffKind, diff_of, diff_rows
from infra.store.queries.imports import find_import, import_rows, list_imports
from infra.store.vanished import withdraw_vanished
from pipeline.domain.errors import NotFound
from pipeline.domain.listing import Verdict

router = APIRouter(prefix="/v1/imports", tags=["imports"])
ImportId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
LAST_ROW = 2**31 - 1


@router.get("", response_model=ImportPage)
def show_imports(house: InHouse, grant: Reader, cursor: Cursor = None, limit: Limit = 50) -> dict[str, Any]:
    """Imports, newest first."""
    before = id_of(cursor)
    with house.engine.connect() as connection:
        found = list_imports(connection, grant.source_ids, before, limit + 1)
    return {"items": [shown(one) for one in found[:limit]], "next": cursor_after(found, limit)}


@router.get("/{import_id}", response_model=ImportWithRows)
def show_import(
    import_id: ImportId,
    house: InHouse,
    grant: Reader,
    verdict: Verdict | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """One import with a page of its rows' verdicts; ``next`` walks the rows."""
    with house.engine.connect() as connection:
        found = _find(connection, import_id, grant)
        rows = import_rows(connection, import_id, verdict, row_of(cursor), limit + 1)
    return shown(found) | {"rows": rows[:limit], "next": cursor_after(rows, limit, "number")}


@router.get("/{import_id}/diff", response_model=DiffShown)
def show_diff(
    import_id: ImportId,
    house: InHouse,
    grant: Reader,
    kind: DiffKind | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """What an import changed, in counts; with a ``kind`` also its products, page by page.

    New, changed and unchanged are verdicts on the listings here; came_back and vanished compare a run that met all
    there is with the last such run of the same query.
    """
    with house.engine.connect() as connection:
        found = _find(connection, import_id, grant)
        told = diff_of(connection, found)
        rows = [] if kind is None else diff_rows(connection, import_id, kind, row_of(cursor), limit + 1)
    return told | {"kind": kind, "items": rows[:limit], "next": cursor_after(rows, limit, "number")}


@router.post("/{import_id}/withdraw-vanished", response_model=WithdrawalShown)
def withdraw(import_id: ImportId, house: InHouse, grant: Admin, asked: VanishedAsked | None = None) -> WithdrawalShown:
    """Withdraw the listings of products that vanished, and cancel their jobs; a product met again brings its listing
    back. Kept are those that another import met since or another query has, and those that were posted since."""
    with house.engine.connect() as connection:
        _find(connection, import_id, grant)
    gone = withdraw_vanished(house.engine, import_id, asked is not None and asked.even_most)
    return WithdrawalShown(withdrawn=gone.withdrawn, kept=gone.kept)


def row_of(cursor: str | None) -> int:
    """The number of the row after which a page begins."""
    return min(max(decode_cursor(cursor, [int])[0], 0), LAST_ROW) if cursor else 0


def _find(connection: Connection, import_id: int, grant: Grant) -> dict[str, Any]:
    found = find_import(connection, import_id, grant.source_ids)
    if found is None:
        raise NotFound(f"there is no import {import_id}")
    return found
