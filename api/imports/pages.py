"""Pages of imports: the list with progress and counts, and one import with its rows and changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from api.context import ApiContext, Context
from api.imports.routes import row_number_of
from api.imports.schemas import LicenceResponse, title_of
from api.pagination import cursor_after, id_of
from api.parameters import RecordId, Words
from api.rules.routes import source_of
from api.web.rendering import render
from api.web.session import PostedForm, SignedInVisitor, Visitor, require_admin
from infra.store.collections import list_collections
from infra.store.imports.comparison_with_previous import count_not_withdrawn
from infra.store.imports.queries import (
    DifferenceKind,
    ImportView,
    find_differences,
    find_import,
    list_imports,
    list_products,
    list_products_of_kind,
)
from infra.store.rules.queries import accepted_categories
from pipeline.domain.errors import Conflict, InvalidInput, NotFound
from pipeline.domain.import_run import too_many_vanished
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.product_source import QueryKind
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.rule import MAX_SOURCE_CATEGORY_LENGTH, Meaning, RuleStatus
from pipeline.domain.verdict import Verdict
from pipeline.localisation.message_catalogues import gettext_noop
from pipeline.steps.imports import withdraw_vanished
from pipeline.steps.rules import set_rule

router = APIRouter()
PAGE_SIZE = 30
ROWS_PER_PAGE = 50
SCHEDULES = {
    "0 3 * * *": gettext_noop("every day at 3:00 UTC"),
    "0 3 * * 1": gettext_noop("every Monday at 3:00 UTC"),
    "@monthly": gettext_noop("every month"),
}
# The row lists of one import, in page order; "" is the list of all rows.
ROW_LISTS = (
    "",
    Verdict.NEW,
    Verdict.CHANGED,
    Verdict.UNCHANGED,
    Verdict.VARIANT,
    Verdict.REJECTED,
    DifferenceKind.CAME_BACK,
    DifferenceKind.VANISHED,
)


@dataclass(frozen=True, slots=True)
class RowListPage:
    """A page of one of ``ROW_LISTS``; an unknown list means all rows."""

    show: str
    cursor: str = ""


@router.get("/imports")
def show_imports(
    request: Request, context: Context, visitor: Visitor, cursor: Annotated[str, Query()] = ""
) -> Response:
    """Imports (newest first), collections, and the form to start an import."""
    return imports_page(request, context, visitor, cursor)


@router.get("/imports/{import_id}")
def show_import(
    request: Request, import_id: RecordId, context: Context, visitor: Visitor, show: Words = "", cursor: str = ""
) -> Response:
    """One import: its progress and counts, and its rows by verdict or difference."""
    return _page(request, context, visitor, _find(context, visitor, import_id), RowListPage(show, cursor))


@router.post("/imports/{import_id}/withdraw-vanished")
def withdraw(request: Request, import_id: RecordId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Withdraw the listings of vanished products, then show the list of vanished products again."""
    require_admin(visitor)
    import_view = _find(context, visitor, import_id)
    try:
        withdraw_vanished(context.units, import_id, even_most=form.get("even_most") == "yes")
    except Conflict as problem:
        vanished_products = RowListPage(DifferenceKind.VANISHED)
        return _page(request, context, visitor, import_view, vanished_products, reason_of(problem))
    return RedirectResponse(f"/imports/{import_id}?show={DifferenceKind.VANISHED}", HTTPStatus.SEE_OTHER)


@router.post("/imports/{import_id}/merge-categories")
def merge_categories(import_id: RecordId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Accept a rule that the rarer of two similar categories means the other one, then show the import again."""
    require_admin(visitor)
    import_view = _find(context, visitor, import_id)
    rare, frequent = str(form.get("rare", "")), str(form.get("frequent", ""))
    if not any((pair["rare"], pair["frequent"]) == (rare, frequent) for pair in _similar_pairs(import_view)):
        raise InvalidInput(Reason(ReasonCode.NOT_SIMILAR_CATEGORIES))
    with context.engine.connect() as connection:
        source = source_of(connection, visitor.grant, import_view.source)
    set_rule(context.units, source.id, rare, Meaning(frequent), RuleStatus.ACCEPTED, visitor.grant.name)
    return RedirectResponse(f"/imports/{import_id}#read", HTTPStatus.SEE_OTHER)


def imports_page(
    request: Request,
    context: ApiContext,
    visitor: SignedInVisitor,
    cursor: str = "",
    form_values: Mapping[str, object] | None = None,
) -> Response:
    """The list; ``form_values`` are the fields of a rejected form, with the ``problem``."""
    before_id = id_of(cursor)
    with context.engine.connect() as connection:
        imports = list_imports(connection, visitor.grant.source_ids, before_id, PAGE_SIZE + 1)
        collections = list_collections(connection, visitor.grant.source_ids)
    variables = {
        "imports": [_template_fields(import_view) for import_view in imports[:PAGE_SIZE]],
        "older": cursor_after(imports, PAGE_SIZE),
        "newest": not cursor,
        "collections": [(collection, title_of(collection.database)) for collection in collections],
        "databases": DATABASES.values(),
        "query_kinds": list(QueryKind),
        "schedules": SCHEDULES,
        "following": any(import_view.doing for import_view in imports[:PAGE_SIZE]) and not form_values,
        "form_values": form_values or {},
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form_values else HTTPStatus.OK
    return render(request, "imports/list.html", visitor, variables, status)


def _page(
    request: Request,
    context: ApiContext,
    visitor: SignedInVisitor,
    import_view: ImportView,
    requested: RowListPage,
    problem: Reason | None = None,
) -> Response:
    show = requested.show if requested.show in ROW_LISTS else ""
    after = row_number_of(requested.cursor)
    with context.engine.connect() as connection:
        differences = find_differences(connection, import_view)
        if show in set(DifferenceKind):
            rows = list_products_of_kind(connection, import_view.id, DifferenceKind(show), after, ROWS_PER_PAGE + 1)
        else:
            rows = list_products(connection, import_view.id, Verdict(show) if show else None, after, ROWS_PER_PAGE + 1)
        n_not_withdrawn = count_not_withdrawn(connection, import_view.id) if show == DifferenceKind.VANISHED else 0
        similar = _similar_categories(connection, visitor, import_view)
    variables = {
        "run": _template_fields(import_view) | {"licence": LicenceResponse.of_database(import_view.database)},
        "differences": differences,
        "similar": similar,
        "max_source_category_length": MAX_SOURCE_CATEGORY_LENGTH,
        "lists": [(key, getattr(import_view, key or "row")) for key in ROW_LISTS],
        "show": show,
        "rows": rows[:ROWS_PER_PAGE],
        "next_cursor": cursor_after(rows, ROWS_PER_PAGE, "number"),
        "is_first_page": not requested.cursor,
        "purged": not rows and not requested.cursor and bool(getattr(import_view, show or "row")),
        "n_not_withdrawn": n_not_withdrawn,
        "too_many_vanished": bool(import_view.vanished)
        and too_many_vanished(import_view.vanished or 0, differences.before or 0),
        "problem": problem,
    }
    return render(request, "imports/detail.html", visitor, variables, HTTPStatus.CONFLICT if problem else HTTPStatus.OK)


def _find(context: ApiContext, visitor: SignedInVisitor, import_id: int) -> ImportView:
    with context.engine.connect() as connection:
        import_view = find_import(connection, import_id, visitor.grant.source_ids)
    if import_view is None:
        raise NotFound(Reason.of(ReasonCode.IMPORT_NOT_FOUND, id=import_id))
    return import_view


def _similar_pairs(import_view: ImportView) -> Sequence[Mapping[str, Any]]:
    return import_view.summary["similar"] if import_view.summary else ()


def _similar_categories(
    connection: Connection, visitor: SignedInVisitor, import_view: ImportView
) -> list[dict[str, Any]]:
    """The pairs of the summary, each with ``merged``: whether a rule gives the rarer category the other's name."""
    pairs = _similar_pairs(import_view)
    if not pairs:
        return []
    source = source_of(connection, visitor.grant, import_view.source)
    accepted = accepted_categories(connection, source.id, [pair["rare"] for pair in pairs])
    return [{**pair, "merged": accepted.get(pair["rare"]) == pair["frequent"]} for pair in pairs]


def _template_fields(import_view: ImportView) -> dict[str, Any]:
    title = import_view.database and title_of(import_view.database)
    return asdict(import_view) | {"doing": import_view.doing, "title": title}
