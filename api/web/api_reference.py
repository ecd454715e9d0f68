"""The reference page of the HTTP API, made from its OpenAPI document; it loads nothing from other hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from api.context import ApiContext, Context
from api.openapi import operations
from api.problems import Problem
from api.web.rendering import render
from api.web.session import SignedIn, signed_in

router = APIRouter()
Schema = Mapping[str, Any]
BOUNDS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "more than"),
    ("maximum", "at most"),
    ("minLength", "characters: at least"),
    ("maxLength", "characters: at most"),
    ("maxItems", "items: at most"),
)
# FastAPI's words for an answer that has none of its own.
DEFAULT_DESCRIPTION = "Successful Response"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a field of a body: its name, place (query, path, header), type and description."""

    name: str
    place: str
    kind: str
    required: bool
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class DocumentedOperation:
    """One operation as the page shows it; ``request_fields`` and ``response_fields`` are those of its JSON objects."""

    anchor: str
    method: str
    path: str
    title: str
    description: str
    parameters: tuple[Field, ...]
    request_fields: tuple[Field, ...]
    response_fields: tuple[Field, ...]
    responses: tuple[tuple[str, str], ...]
    curl: str


@router.get("/docs")
def show_reference(request: Request, context: Context) -> Response:
    """Every operation with its parameters, an example and its responses; no login is needed."""
    document = request.app.openapi()
    groups: dict[str, list[DocumentedOperation]] = {}
    for path, method, operation in operations(document):
        documented = _documented(document, path, method, operation, context.settings.public_url)
        groups.setdefault(operation["tags"][0], []).append(documented)
    variables = {"paragraphs": document["info"]["description"].split("\n\n"), "groups": groups}
    return render(request, "web/reference.html", _optional_visitor(request, context), variables)


def _optional_visitor(request: Request, context: ApiContext) -> SignedIn | None:
    try:
        return signed_in(request, context)
    except Problem:
        return None


def _documented(document: Schema, path: str, method: str, operation: Schema, address: str) -> DocumentedOperation:
    description = " ".join(operation.get("description", "").split())
    first, point, rest = description.partition(". ")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    success: Schema = next((one for status, one in operation["responses"].items() if status.startswith("2")), {})
    content = success.get("content", {}).get("application/json", {})
    return DocumentedOperation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        title=(first + point).strip().removesuffix(".") or operation["summary"],
        description=rest,
        parameters=tuple(_parameter(document, one) for one in operation.get("parameters", ())),
        request_fields=tuple(_fields(document, body.get("schema", {}))),
        response_fields=tuple(_fields(document, content.get("schema", {}))),
        responses=tuple(_status_line(status, one) for status, one in operation["responses"].items()),
        curl=_curl(document, path, method, operation, body, address),
    )


def _status_line(status: str, one: Schema) -> tuple[str, str]:
    return ("else" if status == "default" else status), one["description"].replace(DEFAULT_DESCRIPTION, "done")


def _parameter(document: Schema, one: Schema) -> Field:
    schema = one["schema"]
    description = one.get("description", "")
    kind, required = _kind(document, schema), one.get("required", False)
    return Field(one["name"], one["in"], kind, required, _default(schema), description)


def _fields(document: Schema, schema: Schema) -> Iterator[Field]:
    found = _resolved(document, schema)
    if found.get("type") == "array":
        found = _resolved(document, found.get("items", {}))
    for name, one in found.get("properties", {}).items():
        required = name in found.get("required", ())
        yield Field(name, "", _kind(document, one), required, _default(one), one.get("description", ""))


def _resolved(document: Schema, schema: Schema) -> Schema:
    """The schema that a reference names; of a choice with null, the other one."""
    if "$ref" in schema:
        found: Schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    other = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return _resolved(document, other[0]) if len(other) == 1 else schema


def _kind(document: Schema, schema: Schema) -> str:
    """What a value may be, in words: 'integer, at least 1, or null'."""
    if "$ref" in schema:
        named = _resolved(document, schema)
        return _kind(document, named) if "enum" in named else schema["$ref"].rpartition("/")[2]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return ", or ".join(dict.fromkeys(_kind(document, one) for one in schema[choice]))
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        kind = f"list of {_kind(document, schema.get('items', {}))}"
    kind = f"{kind} ({schema['format']})" if "format" in schema else kind
    bounds = [f"{words} {schema[bound]:,}" for bound, words in BOUNDS if bound in schema]
    return ", ".join([kind, *bounds])


def _default(schema: Schema) -> str:
    return "" if schema.get("default") in (None, "", [], {}) else json.dumps(schema["default"])


def _curl(document: Schema, path: str, method: str, operation: Schema, body: Schema, address: str) -> str:
    # curl posts what it has a body for, and gets what it has none for.
    verb = "" if method == ("post" if body else "get") else f"-X {method.upper()} "
    parts = [f'curl {verb}"{address.rstrip("/")}{path}"']
    if operation.get("security"):
        parts.append('-H "Authorization: Bearer $KEY"')
    if body:
        given: Any = body.get("example") or next(iter(_resolved(document, body["schema"]).get("examples", ())), {})
        parts += ['-H "Content-Type: application/json"', "-d '" + json.dumps(given, ensure_ascii=False) + "'"]
    return " \\\n  ".join(parts)
