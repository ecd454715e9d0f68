"""Standing collections: queries to product databases that are asked again and again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import text

from api.auth import Admin, Reader
from api.collections.schemas import CollectionAsked, CollectionChange, CollectionList, CollectionShown
from api.context import Context
from api.imports.routes import RUNS_ALREADY, begun_import
from api.imports.schemas import ImportShown
from api.pagination import LARGEST_ID
from infra.store.collections import repository as store

router = APIRouter(prefix="/v1/collections", tags=["collections"])
CollectionId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("", response_model=CollectionList)
def show_collections(context: Context, grant: Reader) -> dict[str, Any]:
    """All collections, in the order they were made, each with its latest import."""
    with context.engine.connect() as connection:
        return {"items": store.list_collections(connection, grant.source_ids)}


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=CollectionShown,
    responses={200: {"model": CollectionShown, "description": "it was there, and has this schedule now"}},
)
def keep_collection(asked: CollectionAsked, context: Context, grant: Admin, response: Response) -> dict[str, Any]:
    """Keep a query that is to be asked again and again; the same one for the same source gets another schedule.

    Each period has one run, by a worker, and none while the run before is not over.
    """
    query = asked.query()
    with context.engine.begin() as connection:
        source = store.source_of_products(connection, asked.database, asked.source, asked.taxonomy)
        kept = store.add_collection(connection, source.id, asked.database, query, asked.every)
        found = store.find_collection(connection, kept)
        new = found["created_at"] == connection.execute(text("SELECT now()")).scalar_one()
    response.headers["Location"] = f"/v1/collections/{kept}"
    if not new:
        response.status_code = HTTPStatus.OK
    return found


@router.get("/{collection_id}", response_model=CollectionShown)
def show_collection(collection_id: CollectionId, context: Context, grant: Reader) -> dict[str, Any]:
    """One collection."""
    with context.engine.connect() as connection:
        return store.find_collection(connection, collection_id, grant.source_ids)


@router.patch("/{collection_id}", response_model=CollectionShown)
def change_collection(
    collection_id: CollectionId, change: CollectionChange, context: Context, grant: Admin
) -> dict[str, Any]:
    """Give it another schedule, pause or resume it; it holds from the next look on, within a few seconds."""
    with context.engine.begin() as connection:
        if "every" in change.model_fields_set:
            store.reschedule_collection(connection, collection_id, change.every, grant.source_ids)
        if change.paused is not None:
            act = store.pause_collection if change.paused else store.resume_collection
            act(connection, collection_id, grant.source_ids)
        return store.find_collection(connection, collection_id, grant.source_ids)


@router.delete("/{collection_id}", status_code=HTTPStatus.NO_CONTENT)
def remove_collection(collection_id: CollectionId, context: Context, grant: Admin) -> None:
    """Forget a collection; its imports and listings stay."""
    with context.engine.begin() as connection:
        store.remove_collection(connection, collection_id, grant.source_ids)


@router.post(
    "/{collection_id}/run", status_code=HTTPStatus.ACCEPTED, response_model=ImportShown, responses=RUNS_ALREADY
)
def run_collection(collection_id: CollectionId, context: Context, grant: Admin, response: Response) -> dict[str, Any]:
    """Run it now, to be followed at `Location`; its schedule stays as it is."""
    with context.engine.begin() as connection:
        import_id, begun = store.run_collection(connection, collection_id, grant.source_ids)
    return begun_import(context, grant, response, import_id, begun)
