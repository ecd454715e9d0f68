"""The reference page of the HTTP API, rendered from the OpenAPI document; it loads nothing from other hosts."""

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
from api.web.session import SignedInVisitor, require_sign_in

router = APIRouter()
Schema = Mapping[str, Any]
BOUND_WORDS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "more than"),
    ("maximum", "at most"),
    ("minLength", "characters: at least"),
    ("maxLength", "characters: at most"),
    ("maxItems", "items: at most"),
)
# FastAPI's text for a response without a description.
DEFAULT_DESCRIPTION = "Successful Response"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a body field; ``location`` is query, path or header, and empty for a body field."""

    name: str
    location: str
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
    return render(request, "web/reference.html", _visitor_or_none(request, context), variables)


def _visitor_or_none(request: Request, context: ApiContext) -> SignedInVisitor | None:
    try:
        return require_sign_in(request, context)
    except Problem:
        return None


def _documented(document: Schema, path: str, method: str, operation: Schema, public_url: str) -> DocumentedOperation:
    description = " ".join(operation.get("description", "").split())
    first_sentence, period, rest = description.partition(". ")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    success: Schema = next(
        (response for status, response in operation["responses"].items() if status.startswith("2")), {}
    )
    content = success.get("content", {}).get("application/json", {})
    return DocumentedOperation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        title=(first_sentence + period).strip().removesuffix(".") or operation["summary"],
        description=rest,
        parameters=tuple(_parameter(document, parameter) for parameter in operation.get("parameters", ())),
        request_fields=tuple(_fields(document, body.get("schema", {}))),
        response_fields=tuple(_fields(document, content.get("schema", {}))),
        responses=tuple(_status_line(status, response) for status, response in operation["responses"].items()),
        curl=_curl(document, path, method, operation, body, public_url),
    )


def _status_line(status: str, response: Schema) -> tuple[str, str]:
    return ("else" if status == "default" else status), response["description"].replace(DEFAULT_DESCRIPTION, "done")


def _parameter(document: Schema, parameter: Schema) -> Field:
    schema = parameter["schema"]
    description = parameter.get("description", "")
    kind, required = _kind(document, schema), parameter.get("required", False)
    return Field(parameter["name"], parameter["in"], kind, required, _default(schema), description)


def _fields(document: Schema, schema: Schema) -> Iterator[Field]:
    resolved = _resolved(document, schema)
    if resolved.get("type") == "array":
        resolved = _resolved(document, resolved.get("items", {}))
    for name, field in resolved.get("properties", {}).items():
        required = name in resolved.get("required", ())
        yield Field(name, "", _kind(document, field), required, _default(field), field.get("description", ""))


def _resolved(document: Schema, schema: Schema) -> Schema:
    """Follow references; a choice between one schema and null resolves to that schema."""
    if "$ref" in schema:
        referenced: Schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return referenced
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    return _resolved(document, choices[0]) if len(choices) == 1 else schema


def _kind(document: Schema, schema: Schema) -> str:
    """The type of a value in words, such as 'integer, at least 1, or null'."""
    if "$ref" in schema:
        resolved = _resolved(document, schema)
        return _kind(document, resolved) if "enum" in resolved else schema["$ref"].rpartition("/")[2]
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return ", or ".join(dict.fromkeys(_kind(document, choice) for choice in schema[keyword]))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        kind = f"list of {_kind(document, schema.get('items', {}))}"
    kind = f"{kind} ({schema['format']})" if "format" in schema else kind
    bounds = [f"{words} {schema[bound]:,}" for bound, words in BOUND_WORDS if bound in schema]
    return ", ".join([kind, *bounds])


def _default(schema: Schema) -> str:
    return "" if schema.get("default") in (None, "", [], {}) else json.dumps(schema["default"])


def _curl(document: Schema, path: str, method: str, operation: Schema, body: Schema, public_url: str) -> str:
    # curl sends POST with a body and GET without one, unless -X is given.
    method_option = "" if method == ("post" if body else "get") else f"-X {method.upper()} "
    parts = [f'curl {method_option}"{public_url.rstrip("/")}{path}"']
    if operation.get("security"):
        parts.append('-H "Authorization: Bearer $KEY"')
    if body:
        example: Any = body.get("example") or next(iter(_resolved(document, body["schema"]).get("examples", ())), {})
        parts += ['-H "Content-Type: application/json"', "-d '" + json.dumps(example, ensure_ascii=False) + "'"]
    return " \\\n  ".join(parts)
