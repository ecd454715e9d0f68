"""The OpenAPI document: FastAPI's, with our error responses; and the check of query parameters against it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

from api.auth import current_grant
from api.problems import MEDIA_TYPE
from pipeline.domain.api_key import Grant
from pipeline.domain.errors import InvalidInput
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

METHODS = ("get", "put", "post", "patch", "delete")
# FastAPI's own schemas of errors, which are never returned.
REPLACED_SCHEMAS = ("HTTPValidationError", "ValidationError")


class PlacedError(BaseModel):
    """An error at one place of the request."""

    pointer: str = Field(description="JSON pointer into the body, or /query/…, /path/…, /header/…")
    detail: str


class ProblemResponse(BaseModel):
    """An error (RFC 9457): the problem, and how to solve it."""

    type: str
    title: str
    status: int
    detail: str
    coded_reason: dict[str, Any] | None = Field(None, description="the detail as a code with parameters")
    errors: list[PlacedError] = Field([], description="by place, where there are several")


def install(app: FastAPI) -> None:
    """Let the app describe its errors as problem documents; call it after all routes are included."""
    app.openapi = partial(_described, app)  # type: ignore[method-assign]


class Operation(NamedTuple):
    """An operation of an OpenAPI document: path, method in small letters, description."""

    path: str
    method: str
    description: dict[str, Any]


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every operation of an OpenAPI document, in its order."""
    for path, methods in document["paths"].items():
        yield from (Operation(path, method, methods[method]) for method in METHODS if method in methods)


def reject_unknown_parameters(request: Request, _: Annotated[Grant, Depends(current_grant)]) -> None:
    """A dependency: InvalidInput for a query parameter that the operation does not have.

    If a misspelt filter were ignored, the answer would have the wrong rows.
    """
    if not request.query_params:
        return
    described = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    known = [one["name"] for one in described.get("parameters", ()) if one["in"] == "query"]
    for name in request.query_params:
        if name not in known:
            if not known:
                raise InvalidInput(Reason.of(ReasonCode.NO_PARAMETERS, name=name[:50]))
            raise InvalidInput(Reason.of(ReasonCode.UNKNOWN_PARAMETER, name=name[:50], known=known))


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        schemas = document["components"]["schemas"]
        for foreign in REPLACED_SCHEMAS:
            schemas.pop(foreign, None)
        problem = ProblemResponse.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs") | {"ProblemResponse": problem}
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemResponse"}}}
        for _, _, operation in operations(document):
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {"description": "every error: a problem document", "content": content}
        app.openapi_schema = document
    return app.openapi_schema
