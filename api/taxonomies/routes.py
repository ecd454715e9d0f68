"""Taxonomies: list them, list and search their categories, import categories with their texts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.auth import Admin, Reader
from api.context import ApiContext, Context
from api.pagination import Cursor, Limit, cursor_after, id_of
from api.parameters import Clean, Words
from api.taxonomies.schemas import (
    CATEGORIES_BODY,
    CategoriesPage,
    CategoryResponse,
    ChangesResponse,
    TaxonomyResponse,
)
from api.taxonomies.uploads import SUFFIX_BY_MEDIA_TYPE, read_upload
from infra.store.taxonomies.queries import find_categories, find_taxonomy_view, list_taxonomies
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import InvalidInput
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.source import NAME_LIMIT
from pipeline.steps.taxonomies import import_taxonomy

router = APIRouter(prefix="/v1/taxonomies", tags=["taxonomies"])
TaxonomyName = Annotated[Clean, Path(max_length=NAME_LIMIT)]


@router.get("")
def show_taxonomies(context: Context, grant: Reader) -> list[TaxonomyResponse]:
    """Taxonomies by name, with the number of their categories."""
    with context.engine.connect() as connection:
        views = list_taxonomies(connection, grant.source_ids)
    return [TaxonomyResponse.model_validate(view) for view in views]


# The name of a taxonomy may contain slashes, as that of a source.
@router.get("/{name:path}/categories")
def show_categories(
    name: TaxonomyName,
    context: Context,
    grant: Reader,
    search: Words = "",
    under: Annotated[Clean, Query(max_length=600, description="a path: only this category and those below it")] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> CategoriesPage:
    """Categories in the order of the tree: each is followed by those below it.

    `search` finds a text in paths, synonyms and names in other languages.
    """
    with context.engine.connect() as connection:
        view = find_taxonomy_view(connection, name, grant.source_ids)
        found = find_categories(connection, view.id, words=search, under=under, after=id_of(cursor), limit=limit + 1)
        labelled = context.label_counts.counts_of(connection, view.id)
    items = [CategoryResponse.of(category, labelled) for category in found[:limit]]
    return CategoriesPage(items=items, next=cursor_after(found, limit))


@router.post("/{name:path}/categories", openapi_extra={"requestBody": CATEGORIES_BODY})
async def post_categories(
    name: TaxonomyName,
    request: Request,
    context: Context,
    grant: Admin,
    dry_run: Annotated[bool, Query(description="say what would change, and change nothing")] = False,  # noqa: FBT002
) -> ChangesResponse:
    """Add categories and their texts to a taxonomy, which is added if it does not exist.

    The body is JSON (paths, objects with children, or nested objects), a table of paths or levels (CSV, TSV, XLSX), or
    the text of Google's or Shopify's taxonomy; as it is, or as the `file` of a form. The same body again changes
    nothing. A category whose id is known is renamed; nothing is removed.
    """
    content, filename = await _body(request)
    return await run_in_threadpool(_import, context, grant, name, content, filename, dry_run=dry_run)


async def _body(request: Request) -> tuple[bytes, str]:
    """The bytes of the body or of the file of a form, and a file name that says what they are."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        form = await request.form(max_files=1, max_fields=5)
        uploaded = form.get("file")
        if not isinstance(uploaded, UploadFile):
            raise InvalidInput(Reason(ReasonCode.CHOOSE_FILE))
        return await uploaded.read(), uploaded.filename or "file"
    content = await request.body()
    if not content.strip():
        raise InvalidInput(Reason(ReasonCode.CHOOSE_FILE))
    return content, f"the body{SUFFIX_BY_MEDIA_TYPE.get(media_type, '')}"


def _import(
    context: ApiContext, grant: Grant, name: str, content: bytes, filename: str, *, dry_run: bool
) -> ChangesResponse:
    result = import_taxonomy(context.units, name, read_upload(content, filename), grant.name, dry_run=dry_run)
    return ChangesResponse.of(result, dry_run=dry_run)
