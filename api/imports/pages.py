"""Imports: their list with progress and counts, and one of them with its rows, its diff and what vanished."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.context import ApiContext, Context
from api.imports.routes import ImportId, row_of
from api.imports.schemas import shown
from api.listings.pages import Words
from api.pagination import cursor_after, id_of
from api.web.rendering import render
from api.web.session import PostedForm, SignedIn, Visitor, require_admin
from infra.store.collections.queries import list_collections
from infra.store.imports.difference_queries import DiffKind, diff_of, diff_rows, told_rows
from infra.store.imports.queries import find_import, list_imports
from infra.store.imports.vanished import looks_like_a_fault, still_listed, withdraw_vanished
from pipeline.domain.errors import Conflict, NotFound
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.product_source import QueryKind
from pipeline.domain.verdict import Verdict

router = APIRouter()
PAGE = 30
ROWS = 50
# How the page calls what can be asked for. The last two need no more words: files are named by command or over HTTP.
ASKED_BY = {
    QueryKind.CATEGORY: "category",
    QueryKind.TEXT: "words",
    QueryKind.BARCODES: "barcodes",
    QueryKind.EXPORT: "the whole export",
    QueryKind.CHANGES: "what changed lately",
}
SCHEDULES = {"0 3 * * *": "every day at 3:00 UTC", "0 3 * * 1": "every Monday at 3:00 UTC", "@monthly": "every month"}
# The lists of one import, in their order.
LISTS = {
    "": "rows",
    Verdict.NEW: "new",
    Verdict.CHANGED: "changed",
    Verdict.UNCHANGED: "unchanged",
    Verdict.REJECTED: "rejected",
    DiffKind.CAME_BACK: "came back",
    DiffKind.VANISHED: "vanished",
}


@router.get("/imports")
def show_imports(
    request: Request, context: Context, visitor: Visitor, cursor: Annotated[str, Query()] = ""
) -> Response:
    """Imports, newest first, standing collections, and the form to start one."""
    return imports_page(request, context, visitor, cursor)


@router.get("/imports/{import_id}")
def show_import(
    request: Request, import_id: ImportId, context: Context, visitor: Visitor, show: Words = "", cursor: str = ""
) -> Response:
    """One import: how far it is, what it brought, and its rows by verdict or difference."""
    return _page(request, context, visitor, import_id, show if show in LISTS else "", cursor)


@router.post("/imports/{import_id}/withdraw-vanished")
def withdraw(request: Request, import_id: ImportId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Withdraw the listings of what vanished, then show what is left of the list."""
    require_admin(visitor, "withdrawing")
    _find(context, visitor, import_id)
    try:
        withdraw_vanished(context.engine, import_id, form.get("even_most") == "yes")
    except Conflict as problem:
        return _page(request, context, visitor, import_id, DiffKind.VANISHED, "", str(problem))
    return RedirectResponse(f"/imports/{import_id}?show={DiffKind.VANISHED}", HTTPStatus.SEE_OTHER)


def imports_page(
    request: Request, context: ApiContext, visitor: SignedIn, cursor: str = "", given: dict[str, str] | None = None
) -> Response:
    """The list; ``given`` are the fields of a form that could not be used, with the ``problem``."""
    before = id_of(cursor)
    with context.engine.connect() as connection:
        found = list_imports(connection, visitor.grant.source_ids, before, PAGE + 1)
        standing = list_collections(connection, visitor.grant.source_ids)
    variables = {
        "imports": [_titled(one) for one in found[:PAGE]],
        "older": cursor_after(found, PAGE),
        "newest": not cursor,
        "collections": [(collection, _title_of(collection.database)) for collection in standing],
        "databases": DATABASES.values(),
        "asked_by": ASKED_BY,
        "schedules": SCHEDULES,
        "following": any(one["doing"] for one in found[:PAGE]) and not given,
        "given": given or {},
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if given else HTTPStatus.OK
    return render(request, "imports.html", visitor, variables, status)


def _page(
    request: Request,
    context: ApiContext,
    visitor: SignedIn,
    import_id: int,
    show: str,
    cursor: str,
    problem: str | None = None,
) -> Response:
    found = _find(context, visitor, import_id)
    after = row_of(cursor)
    with context.engine.connect() as connection:
        told = diff_of(connection, found)
        if show in set(DiffKind):
            rows = diff_rows(connection, import_id, DiffKind(show), after, ROWS + 1)
        else:
            rows = told_rows(connection, import_id, Verdict(show) if show else None, after, ROWS + 1)
        listed = still_listed(connection, import_id) if show == DiffKind.VANISHED else 0
    vanished = found["vanished"]
    variables = {
        "run": _titled(shown(found)),
        "told": told,
        "lists": [(key, word, found["row"] if not key else found[key]) for key, word in LISTS.items()],
        "show": show,
        "rows": rows[:ROWS],
        "following": cursor_after(rows, ROWS, "number"),
        "first": not cursor,
        "purged": not rows and not cursor and bool(found[show] if show else found["row"]),
        "listed": listed,
        "doubtful": bool(vanished) and looks_like_a_fault(vanished, told["before"] or 0),
        "problem": problem,
    }
    return render(request, "import.html", visitor, variables, HTTPStatus.CONFLICT if problem else HTTPStatus.OK)


def _find(context: ApiContext, visitor: SignedIn, import_id: int) -> dict[str, Any]:
    with context.engine.connect() as connection:
        found = find_import(connection, import_id, visitor.grant.source_ids)
    if found is None:
        raise NotFound(f"There is no import {import_id}, or it is not one that your key may see.")
    return found


def _titled(found: dict[str, Any]) -> dict[str, Any]:
    """With the title that the database goes by."""
    return {**found, "title": _title_of(found["database"])}


def _title_of(database: str | None) -> str | None:
    known = DATABASES.get(database or "")
    return known.title if known else database
