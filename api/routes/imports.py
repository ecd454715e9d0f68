"""Imports: how far they are, and the verdict of every row."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from api.access import Reader
from api.cursor import LARGEST_ID, decode_cursor, encode_cursor
from api.house import InHouse
from api.routes.reading import Cursor, Limit
from infra.store.queries.imports import find_import, import_rows, list_imports
from pipeline.domain.errors import NotFound
from pipeline.domain.listing import Verdict

router = APIRouter(prefix="/v1/imports", tags=["imports"])


@router.get("")
def show_imports(house: InHouse, grant: Reader, cursor: Cursor = None, limit: Limit = 50) -> dict[str, Any]:
    """Imports, newest first."""
    before = decode_cursor(cursor, [int])[0] if cursor else None
    with house.engine.connect() as connection:
        found = list_imports(connection, grant.source_ids, before, limit + 1)
    return {"items": found[:limit], "next": encode_cursor([found[limit - 1]["id"]]) if len(found) > limit else None}


@router.get("/{import_id}")
def show_import(
    import_id: Annotated[int, Path(ge=1, le=LARGEST_ID)],
    house: InHouse,
    grant: Reader,
    verdict: Verdict | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """One import with a page of its rows' verdicts; ``next`` walks the rows."""
    after = decode_cursor(cursor, [int])[0] if cursor else 0
    with house.engine.connect() as connection:
        found = find_import(connection, import_id, grant.source_ids)
        if found is None:
            raise NotFound(f"there is no import {import_id}")
        rows = import_rows(connection, import_id, verdict, min(after, 2**31 - 1), limit + 1)
    following = encode_cursor([rows[limit - 1]["number"]]) if len(rows) > limit else None
    return found | {"rows": rows[:limit], "next": following}
