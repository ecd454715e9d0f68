"""Asking for an import from a product database; a worker does it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response

from api.access import Admin
from api.house import House, InHouse
from api.once import answered_once
from api.routes.listings import IdempotencyKey, once_of
from api.schemas.collections import ProductsAsked
from api.schemas.imports import ImportShown, shown
from infra.access import Grant
from infra.store.collections import request_import, source_of_products
from infra.store.queries.imports import find_import
from pipeline.domain.errors import NotFound

router = APIRouter(prefix="/v1/imports", tags=["imports"])
RUNS_ALREADY: dict[int | str, dict[str, Any]] = {
    200: {"model": ImportShown, "description": "an import of the same runs already: this one"}
}


@router.post("", status_code=HTTPStatus.ACCEPTED, response_model=ImportShown, responses=RUNS_ALREADY)
def start_import(
    asked: ProductsAsked,
    house: InHouse,
    grant: Admin,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Bring in products from a product database, to be followed at `Location`.

    One of the same query that stopped within the last two days goes on where it stopped.
    """
    query = asked.query()
    once = once_of(grant, idempotency_key, json.dumps(asked.model_dump(), sort_keys=True).encode())
    with house.engine.begin() as connection:

        def begin() -> dict[str, Any]:
            source = source_of_products(connection, asked.database, asked.source, asked.taxonomy)
            import_id, begun = request_import(connection, source.id, asked.database, query)
            return {"import": import_id, "begun": begun}

        answer = answered_once(connection, once, begin)
    return begun_import(house, grant, response, answer["import"], answer["begun"])


def begun_import(house: House, grant: Grant, response: Response, import_id: int, begun: bool) -> dict[str, Any]:
    """The answer to one who asked for a run: the import, where to follow it, and 200 when it ran already."""
    response.headers["Location"] = f"/v1/imports/{import_id}"
    if not begun:
        response.status_code = HTTPStatus.OK
    with house.engine.connect() as connection:
        found = find_import(connection, import_id, grant.source_ids)
    if found is None:
        raise NotFound(f"there is no import {import_id}")
    return shown(found)
