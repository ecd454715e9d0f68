"""Form handlers of the imports page: start an import or collection; run, pause, resume or remove a collection."""

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
QUERIES_WITHOUT_VALUE = (QueryKind.EXPORT, QueryKind.CHANGES)
FORM_FIELDS = ("database", "by", "value", "limit", "source", "schedule")
# Action of a collection's button -> its change.
UPDATES = {"pause": CollectionUpdate(paused=True), "resume": CollectionUpdate(paused=False)}


@router.post("/imports")
def start_import(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Request an import (with a schedule, add a collection) and redirect to it; on an error show the form again."""
    require_admin(visitor)
    form_values = {name: str(form.get(name, "")).strip()[:1000] for name in FORM_FIELDS}
    try:
        schedule = schedule_line(form_values["schedule"]) if form_values["schedule"] else None
        requested = collections.import_products(context.units, _requested_products(form_values), schedule)
    except (InvalidInput, NotFound) as problem:
        return imports_page(request, context, visitor, form_values={**form_values, "problem": reason_of(problem)})
    return RedirectResponse(f"/imports/{requested.id}", HTTPStatus.SEE_OTHER)


@router.post("/imports/collections/{collection_id}/run")
def run_now(collection_id: RecordId, context: Context, visitor: Visitor, _form: PostedForm) -> Response:
    """Request a run of a collection now, and redirect to the import."""
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


def _requested_products(form_values: Mapping[str, str]) -> ProductRequest:
    if form_values["database"] not in DATABASES:
        raise InvalidInput(Reason.of(ReasonCode.CHOOSE_DATABASE, databases=list(DATABASES)))
    if form_values["by"] not in set(QueryKind):
        raise InvalidInput(Reason(ReasonCode.CHOOSE_QUERY))
    kind = QueryKind(form_values["by"])
    if kind in QUERIES_WITHOUT_VALUE and form_values["value"]:
        raise InvalidInput(Reason(ReasonCode.QUERY_WITHOUT_VALUE))
    if kind not in QUERIES_WITHOUT_VALUE and not form_values["value"]:
        raise InvalidInput(Reason(QUERY_VALUE_MISSING[kind]))
    limit_text = form_values["limit"]
    if limit_text and not (limit_text.isdecimal() and 1 <= int(limit_text[:10]) <= MAX_PRODUCTS):
        raise InvalidInput(Reason.of(ReasonCode.INVALID_LIMIT, most=MAX_PRODUCTS))
    query = ProductQuery(kind, " ".join(form_values["value"].split()), int(limit_text) if limit_text else None)
    return ProductRequest(form_values["database"], query, form_values["source"])
