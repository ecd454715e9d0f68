"""The forms of imports from product databases, and the buttons of collections."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.context import Context
from api.imports.pages import imports_page
from api.parameters import RecordId
from api.web.session import PostedForm, Visitor, require_admin
from infra.schedules import schedule_line
from pipeline.domain.collection import CollectionUpdate, ProductRequest
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.steps import collections

router = APIRouter()
MAX_PRODUCTS = 1_000_000
QUERY_VALUE_MISSING = {
    QueryKind.CATEGORY: ReasonCode.QUERY_CATEGORY_MISSING,
    QueryKind.TEXT: ReasonCode.QUERY_WORDS_MISSING,
    QueryKind.BARCODES: ReasonCode.QUERY_BARCODES_MISSING,
}
FILES = (QueryKind.EXPORT, QueryKind.CHANGES)
FIELDS = ("database", "by", "value", "limit", "source", "schedule")
# The value of a collection's button -> what it changes.
UPDATES = {"pause": CollectionUpdate(paused=True), "resume": CollectionUpdate(paused=False)}


@router.post("/imports")
def start_import(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Ask for an import and lead to it, and with a schedule keep it as a collection; the form again on a mistake."""
    require_admin(visitor)
    given = {name: str(form.get(name, "")).strip()[:1000] for name in FIELDS}
    try:
        schedule = schedule_line(given["schedule"]) if given["schedule"] else None
        requested = collections.import_products(context.units, _requested_products(given), schedule)
    except (InvalidInput, NotFound) as problem:
        return imports_page(request, context, visitor, given={**given, "problem": reason_of(problem)})
    return RedirectResponse(f"/imports/{requested.id}", HTTPStatus.SEE_OTHER)


@router.post("/imports/collections/{collection_id}/run")
def run_now(collection_id: RecordId, context: Context, visitor: Visitor, _form: PostedForm) -> Response:
    """Ask for a run of a collection now, and lead to it."""
    require_admin(visitor)
    requested = collections.run_collection(context.units, collection_id, visitor.grant.source_ids)
    return RedirectResponse(f"/imports/{requested.id}", HTTPStatus.SEE_OTHER)


@router.post("/imports/collections/{collection_id}/{action}")
def change_collection(
    collection_id: RecordId, action: str, context: Context, visitor: Visitor, _form: PostedForm
) -> Response:
    """Pause, resume or remove a collection."""
    require_admin(visitor)
    source_ids = visitor.grant.source_ids
    if action == "remove":
        collections.remove_collection(context.units, collection_id, source_ids)
    elif action in UPDATES:
        collections.change_collection(context.units, collection_id, UPDATES[action], source_ids)
    else:
        raise NotFound(f"a collection cannot be changed by '{action[:50]}'")
    return RedirectResponse("/imports", HTTPStatus.SEE_OTHER)


def _requested_products(given: Mapping[str, str]) -> ProductRequest:
    if given["database"] not in DATABASES:
        raise InvalidInput(Reason.of(ReasonCode.CHOOSE_DATABASE, databases=list(DATABASES)))
    if given["by"] not in set(QueryKind):
        raise InvalidInput(Reason(ReasonCode.CHOOSE_QUERY))
    by = QueryKind(given["by"])
    if by in FILES and given["value"]:
        raise InvalidInput(Reason(ReasonCode.QUERY_WITHOUT_VALUE))
    if by not in FILES and not given["value"]:
        raise InvalidInput(Reason(QUERY_VALUE_MISSING[by]))
    limit = given["limit"]
    if limit and not (limit.isdecimal() and 1 <= int(limit[:10]) <= MAX_PRODUCTS):
        raise InvalidInput(Reason.of(ReasonCode.INVALID_LIMIT, most=MAX_PRODUCTS))
    query = ProductQuery(by, " ".join(given["value"].split()), int(limit) if limit else None)
    return ProductRequest(given["database"], query, given["source"])
