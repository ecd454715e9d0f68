"""Collections: queries to product databases that run on a schedule."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from api.auth import Admin, Reader
from api.collections.schemas import (
    CollectionChange,
    CollectionList,
    CollectionResponse,
    NewCollectionRequest,
    schedule_of,
)
from api.context import ApiContext, Context
from api.imports.routes import ALREADY_RUNNING_RESPONSES, requested_import_response
from api.imports.schemas import ImportResponse
from api.parameters import RecordId
from infra.store.collections import find_collection, list_collections
from pipeline.steps import collections

router = APIRouter(prefix="/v1/collections", tags=["collections"])


@router.get("")
def show_collections(context: Context, grant: Reader) -> CollectionList:
    """All collections, oldest first, each with its latest import."""
    with context.engine.connect() as connection:
        collection_views = list_collections(connection, grant.source_ids)
    return CollectionList(items=[CollectionResponse.of(collection) for collection in collection_views])


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": CollectionResponse, "description": "it existed, and now has this schedule"}},
)
def keep_collection(
    requested: NewCollectionRequest, context: Context, _grant: Admin, response: Response
) -> CollectionResponse:
    """Add a query that runs on a schedule; if the source already has this query, it gets the new schedule.

    A worker runs it once per period, but not while its last run continues.
    """
    added = collections.add_collection(context.units, requested.request(), schedule_of(requested.every))
    response.headers["Location"] = f"/v1/collections/{added.id}"
    if not added.is_new:
        response.status_code = HTTPStatus.OK
    return _collection_response(context, added.id, None)


@router.get("/{collection_id}")
def show_collection(collection_id: RecordId, context: Context, grant: Reader) -> CollectionResponse:
    """One collection."""
    return _collection_response(context, collection_id, grant.source_ids)


@router.patch("/{collection_id}")
def change_collection(
    collection_id: RecordId, change: CollectionChange, context: Context, grant: Admin
) -> CollectionResponse:
    """Change the schedule of a collection, or pause or resume it; takes effect within a few seconds."""
    collections.change_collection(context.units, collection_id, change.update(), grant.source_ids)
    return _collection_response(context, collection_id, grant.source_ids)


@router.delete("/{collection_id}", status_code=HTTPStatus.NO_CONTENT)
def remove_collection(collection_id: RecordId, context: Context, grant: Admin) -> None:
    """Remove a collection; its imports and listings stay."""
    collections.remove_collection(context.units, collection_id, grant.source_ids)


@router.post("/{collection_id}/run", status_code=HTTPStatus.ACCEPTED, responses=ALREADY_RUNNING_RESPONSES)
def run_collection(collection_id: RecordId, context: Context, grant: Admin, response: Response) -> ImportResponse:
    """Run a collection now; the URL of the import is in `Location`. The schedule does not change."""
    requested = collections.run_collection(context.units, collection_id, grant.source_ids)
    return requested_import_response(context, grant, response, requested)


def _collection_response(
    context: ApiContext, collection_id: int, source_ids: frozenset[int] | None
) -> CollectionResponse:
    with context.engine.connect() as connection:
        return CollectionResponse.of(find_collection(connection, collection_id, source_ids))
