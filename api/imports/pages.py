"""Pages of imports: the list with progress and counts, and one import with its rows and what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.context import ApiContext, Context
from api.imports.routes import row_of
from api.imports.schemas import LicenceResponse, title_of
from api.pagination import cursor_after, id_of
from api.parameters import RecordId, Words
from api.web.rendering import render
from api.web.session import PostedForm, SignedIn, Visitor, require_admin
from infra.store.collections import list_collections
from infra.store.imports.comparison_with_previous import count_not_withdrawn
from infra.store.imports.queries import (
    DifferenceKind,
    ImportView,
    find_differences,
    find_import,
    list_different_products,
    list_imports,
    list_products,
)
from pipeline.domain.errors import Conflict, NotFound
from pipeline.domain.import_run import too_many_vanished
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.product_source import QueryKind
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.verdict import Verdict
from pipeline.localisation.message_catalogues import gettext_noop
from pipeline.steps.imports import withdraw_vanished

router = APIRouter()
PAGE = 30
ROWS = 50
SCHEDULES = {
    "0 3 * * *": gettext_noop("every day at 3:00 UTC"),
    "0 3 * * 1": gettext_noop("every Monday at 3:00 UTC"),
    "@monthly": gettext_noop("every month"),
}
# The lists of one import, in their order; "" are all its rows.
LISTS = (
    "",
    Verdict.NEW,
    Verdict.CHANGED,
    Verdict.UNCHANGED,
    Verdict.REJECTED,
    DifferenceKind.CAME_BACK,
    DifferenceKind.VANISHED,
)


@dataclass(frozen=True, slots=True)
class RowList:
    """One of ``LISTS`` (an unknown one is all rows), and the cursor of its page."""

    show: str
    cursor: str = ""


@router.get("/imports")
def show_imports(
    request: Request, context: Context, visitor: Visitor, cursor: Annotated[str, Query()] = ""
) -> Response:
    """Imports, newest first, collections, and the form to start an import."""
    return imports_page(request, context, visitor, cursor)


@router.get("/imports/{import_id}")
def show_import(
    request: Request, import_id: RecordId, context: Context, visitor: Visitor, show: Words = "", cursor: str = ""
) -> Response:
    """One import: its progress and counts, and its rows by verdict or difference."""
    return _page(request, context, visitor, _find(context, visitor, import_id), RowList(show, cursor))


@router.post("/imports/{import_id}/withdraw-vanished")
def withdraw(request: Request, import_id: RecordId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Withdraw the listings of vanished products, then show what is left of the list."""
    require_admin(visitor)
    found = _find(context, visitor, import_id)
    try:
        withdraw_vanished(context.units, import_id, even_most=form.get("even_most") == "yes")
    except Conflict as problem:
        vanished = RowList(DifferenceKind.VANISHED)
        return _page(request, context, visitor, found, vanished, reason_of(problem))
    return RedirectResponse(f"/imports/{import_id}?show={DifferenceKind.VANISHED}", HTTPStatus.SEE_OTHER)


def imports_page(
    request: Request,
    context: ApiContext,
    visitor: SignedIn,
    cursor: str = "",
    given: Mapping[str, object] | None = None,
) -> Response:
    """The list; ``given`` are the fields of a form that could not be used, with the ``problem``."""
    before = id_of(cursor)
    with context.engine.connect() as connection:
        found = list_imports(connection, visitor.grant.source_ids, before, PAGE + 1)
        collections = list_collections(connection, visitor.grant.source_ids)
    variables = {
        "imports": [_with_title(one) for one in found[:PAGE]],
        "older": cursor_after(found, PAGE),
        "newest": not cursor,
        "collections": [(one, title_of(one.database)) for one in collections],
        "databases": DATABASES.values(),
        "query_kinds": list(QueryKind),
        "schedules": SCHEDULES,
        "following": any(one.doing for one in found[:PAGE]) and not given,
        "given": given or {},
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if given else HTTPStatus.OK
    return render(request, "imports/list.html", visitor, variables, status)


def _page(
    request: Request,
    context: ApiContext,
    visitor: SignedIn,
    found: ImportView,
    wanted: RowList,
    problem: Reason | None = None,
) -> Response:
    show = wanted.show if wanted.show in LISTS else ""
    after = row_of(wanted.cursor)
    with context.engine.connect() as connection:
        differences = find_differences(connection, found)
        if show in set(DifferenceKind):
            rows = list_different_products(connection, found.id, DifferenceKind(show), after, ROWS + 1)
        else:
            rows = list_products(connection, found.id, Verdict(show) if show else None, after, ROWS + 1)
        listed = count_not_withdrawn(connection, found.id) if show == DifferenceKind.VANISHED else 0
    variables = {
        "run": _with_title(found) | {"licence": LicenceResponse.of_database(found.database)},
        "differences": differences,
        "lists": [(key, getattr(found, key or "row")) for key in LISTS],
        "show": show,
        "rows": rows[:ROWS],
        "following": cursor_after(rows, ROWS, "number"),
        "first": not wanted.cursor,
        "purged": not rows and not wanted.cursor and bool(getattr(found, show or "row")),
        "listed": listed,
        "doubtful": bool(found.vanished) and too_many_vanished(found.vanished or 0, differences.before or 0),
        "problem": problem,
    }
    return render(request, "imports/detail.html", visitor, variables, HTTPStatus.CONFLICT if problem else HTTPStatus.OK)


def _find(context: ApiContext, visitor: SignedIn, import_id: int) -> ImportView:
    with context.engine.connect() as connection:
        found = find_import(connection, import_id, visitor.grant.source_ids)
    if found is None:
        raise NotFound(Reason.of(ReasonCode.IMPORT_NOT_FOUND, id=import_id))
    return found


def _with_title(found: ImportView) -> dict[str, Any]:
    return asdict(found) | {"doing": found.doing, "title": found.database and title_of(found.database)}
