"""Imports from product databases asked for by a form, once or again and again; and the standing collections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from api.context import Context
from api.imports.pages import ASKED_BY, imports_page
from api.pagination import LARGEST_ID
from api.web.session import PostedForm, Visitor, require_admin
from infra.store.collections import repository
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.domain.product_databases import DATABASES
from pipeline.domain.product_source import ProductQuery, QueryKind

router = APIRouter()
CollectionId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
FILES = (QueryKind.EXPORT, QueryKind.CHANGES)
FIELDS = ("database", "by", "value", "limit", "source", "schedule")
Act = Callable[[Connection, int, frozenset[int] | None], object]
ACTS: dict[str, Act] = {
    "pause": repository.pause_collection,
    "resume": repository.resume_collection,
    "remove": repository.remove_collection,
}


@router.post("/imports")
def start_import(request: Request, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Ask for an import and lead to it; with a schedule it is kept, to be asked for again. Else the form again."""
    require_admin(visitor, "importing")
    given = {name: str(form.get(name, "")).strip()[:1000] for name in FIELDS}
    try:
        database, query = _asked(given)
        with context.engine.begin() as connection:
            source = repository.source_of_products(connection, database, given["source"])
            if given["schedule"]:
                repository.add_collection(connection, source.id, database, query, given["schedule"])
            import_id, _ = repository.request_import(connection, source.id, database, query)
    except (InvalidInput, NotFound) as problem:
        return imports_page(request, context, visitor, given=given | {"problem": str(problem)})
    return RedirectResponse(f"/imports/{import_id}", HTTPStatus.SEE_OTHER)


@router.post("/imports/collections/{collection_id}/run")
def run_now(collection_id: CollectionId, context: Context, visitor: Visitor, form: PostedForm) -> Response:
    """Ask for a run of a standing collection now, and lead to it."""
    require_admin(visitor, "importing")
    with context.engine.begin() as connection:
        import_id, _ = repository.run_collection(connection, collection_id, visitor.grant.source_ids)
    return RedirectResponse(f"/imports/{import_id}", HTTPStatus.SEE_OTHER)


@router.post("/imports/collections/{collection_id}/{act}")
def change_collection(
    collection_id: CollectionId, act: str, context: Context, visitor: Visitor, form: PostedForm
) -> Response:
    """Pause, resume or remove a standing collection."""
    require_admin(visitor, "changing a collection")
    if act not in ACTS:
        raise NotFound(f"nothing called '{act[:50]}' can be done with a collection")
    with context.engine.begin() as connection:
        ACTS[act](connection, collection_id, visitor.grant.source_ids)
    return RedirectResponse("/imports", HTTPStatus.SEE_OTHER)


def _asked(given: Mapping[str, Any]) -> tuple[str, ProductQuery]:
    if given["database"] not in DATABASES:
        raise InvalidInput(f"choose a product database: {', '.join(DATABASES)}")
    if given["by"] not in set(QueryKind):
        raise InvalidInput(f"choose what to ask by: {', '.join(ASKED_BY.values())}")
    by = QueryKind(given["by"])
    if by in FILES and given["value"]:
        raise InvalidInput(f"for {ASKED_BY[by]}, leave empty which")
    if by not in FILES and not given["value"]:
        raise InvalidInput(f"say which {ASKED_BY[by]} to ask for")
    limit = given["limit"]
    if limit and not (limit.isdecimal() and 1 <= int(limit[:10]) <= 1_000_000):
        raise InvalidInput("the limit is a number of products, 1 to 1000000; leave it empty for all there are")
    return given["database"], ProductQuery(by, " ".join(given["value"].split()), int(limit) if limit else None)
