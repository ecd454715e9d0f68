"""Collections: queries to product databases that run by a schedule."""

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
from api.imports.routes import ALREADY_RUNNING_RESPONSES, requested_import
from api.imports.schemas import ImportResponse
from api.parameters import RecordId
from infra.store.collections import find_collection, list_collections
from pipeline.steps import collections

router = APIRouter(prefix="/v1/collections", tags=["collections"])


@router.get("")
def show_collections(context: Context, grant: Reader) -> CollectionList:
    """All collections, oldest first, each with its latest import."""
    with context.engine.connect() as connection:
        found = list_collections(connection, grant.source_ids)
    return CollectionList(items=[CollectionResponse.of(collection) for collection in found])


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": CollectionResponse, "description": "it was there, and has this schedule now"}},
)
def keep_collection(
    asked: NewCollectionRequest, context: Context, _grant: Admin, response: Response
) -> CollectionResponse:
    """Add a query that runs by a schedule; one that exists for the same source gets the new schedule.

    A worker runs it once a period, but not while its last run continues.
    """
    kept = collections.add_collection(context.units, asked.request(), schedule_of(asked.every))
    response.headers["Location"] = f"/v1/collections/{kept.id}"
    if not kept.is_new:
        response.status_code = HTTPStatus.OK
    return _shown(context, kept.id, None)


@router.get("/{collection_id}")
def show_collection(collection_id: RecordId, context: Context, grant: Reader) -> CollectionResponse:
    """One collection."""
    return _shown(context, collection_id, grant.source_ids)


@router.patch("/{collection_id}")
def change_collection(
    collection_id: RecordId, change: CollectionChange, context: Context, grant: Admin
) -> CollectionResponse:
    """Change its schedule, pause or resume it; takes effect within a few seconds."""
    collections.change_collection(context.units, collection_id, change.update(), grant.source_ids)
    return _shown(context, collection_id, grant.source_ids)


@router.delete("/{collection_id}", status_code=HTTPStatus.NO_CONTENT)
def remove_collection(collection_id: RecordId, context: Context, grant: Admin) -> None:
    """Remove a collection; its imports and listings stay."""
    collections.remove_collection(context.units, collection_id, grant.source_ids)


@router.post("/{collection_id}/run", status_code=HTTPStatus.ACCEPTED, responses=ALREADY_RUNNING_RESPONSES)
def run_collection(collection_id: RecordId, context: Context, grant: Admin, response: Response) -> ImportResponse:
    """Run it now, to be followed at `Location`; its schedule stays as it is."""
    requested = collections.run_collection(context.units, collection_id, grant.source_ids)
    return requested_import(context, grant, response, requested)


def _shown(context: ApiContext, collection_id: int, source_ids: frozenset[int] | None) -> CollectionResponse:
    with context.engine.connect() as connection:
        return CollectionResponse.of(find_collection(connection, collection_id, source_ids))
