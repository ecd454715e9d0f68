"""The OpenAPI document: FastAPI's with our error responses, and a check of query parameters against it."""

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
# FastAPI's own error schemas, which are never returned.
REPLACED_SCHEMAS = ("HTTPValidationError", "ValidationError")


class ErrorDetail(BaseModel):
    """An error in one part of the request."""

    pointer: str = Field(description="JSON pointer into the body, or /query/…, /path/…, /header/…")
    detail: str


class ProblemResponse(BaseModel):
    """An error as a problem document (RFC 9457): what is wrong, and how to solve it."""

    type: str
    title: str
    status: int
    detail: str
    coded_reason: dict[str, Any] | None = Field(None, description="the detail as a code with parameters")
    errors: list[ErrorDetail] = Field([], description="one per invalid part of the request")


def install(app: FastAPI) -> None:
    """Describe the app's errors as problem documents; call it after all routes are included."""
    app.openapi = partial(_openapi_document, app)  # type: ignore[method-assign]


class Operation(NamedTuple):
    """An operation of an OpenAPI document: path, lower-case method, and its Operation Object."""

    path: str
    method: str
    description: dict[str, Any]


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every operation of an OpenAPI document, in its order."""
    for path, methods in document["paths"].items():
        yield from (Operation(path, method, methods[method]) for method in METHODS if method in methods)


def reject_unknown_parameters(request: Request, _: Annotated[Grant, Depends(current_grant)]) -> None:
    """A dependency: InvalidInput for a query parameter that the operation does not have.

    If a misspelt filter were ignored, the response would contain the wrong rows.
    """
    if not request.query_params:
        return
    operation = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    known = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    for name in request.query_params:
        if name not in known:
            if not known:
                raise InvalidInput(Reason.of(ReasonCode.NO_PARAMETERS, name=name[:50]))
            raise InvalidInput(Reason.of(ReasonCode.UNKNOWN_PARAMETER, name=name[:50], known=known))


def _openapi_document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        schemas = document["components"]["schemas"]
        for schema_name in REPLACED_SCHEMAS:
            schemas.pop(schema_name, None)
        problem = ProblemResponse.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs") | {"ProblemResponse": problem}
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemResponse"}}}
        for _, _, operation in operations(document):
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {"description": "any error, as a problem document", "content": content}
        app.openapi_schema = document
    return app.openapi_schema
