"""Every error as a problem document (RFC 9457): what happened, and what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import Match

from pipeline.domain import errors

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5

STATUS_OF: tuple[tuple[type[errors.RayonError], HTTPStatus], ...] = (
    (errors.InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (errors.IdempotencyKeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.PermanentFailure, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.TransientFailure, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Pydantic's words for what is no object, in ours.
NO_OBJECT = {"model_attributes_type", "model_type", "dict_type"}
log = logging.getLogger(__name__)


class Problem(HTTPException):
    """An error with its status, a sentence for the caller, and headers; an HTTPException, so that nothing hides it."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: Mapping[str, str] | None = None,
        problems: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.problems = problems


def problem_response(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    problems: Sequence[Mapping[str, str]] = (),
) -> JSONResponse:
    """The document: type, title, status, detail, and the errors by place when there are several."""
    document: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status)}
    document["detail"] = detail
    if problems:
        document["errors"] = list(problems)
    return JSONResponse(document, status, dict(headers or {}), MEDIA_TYPE)


def pointed(found: Sequence[Any]) -> list[dict[str, str]]:
    """Pydantic's errors as JSON pointers with a sentence each; what was given is not repeated."""
    return [{"pointer": _pointer(e["loc"]), "detail": _sentence(e)} for e in found]


def _sentence(found: Mapping[str, Any]) -> str:
    if found["type"] in NO_OBJECT:
        return "a JSON object is needed here"
    if found["type"] == "missing" and tuple(found["loc"]) == ("body",):
        return "a body is needed, as JSON"
    return str(found["msg"]).removeprefix("Value error, ")


def _pointer(place: Sequence[int | str]) -> str:
    parts = list(place[1:]) if place and place[0] == "body" else list(place)
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts) or "/"


def install(app: FastAPI) -> None:
    """Answer every error of this app with a problem document."""
    app.add_exception_handler(errors.RayonError, _rayon_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in (DBAPIError, PoolTimeout):
        app.add_exception_handler(kind, _database)
    app.add_exception_handler(Exception, _unforeseen)


def _rayon_error(_: Request, error: Exception) -> Response:
    status = next((s for kind, s in STATUS_OF if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    retry = {"Retry-After": str(RETRY_SECONDS)} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return problem_response(status, str(error), retry)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    for e in found:
        if e["type"] == "json_invalid":
            where = f"at character {int(e['loc'][-1]) + 1}: {e.get('ctx', {}).get('error', 'it cannot be read')}"
            return problem_response(HTTPStatus.BAD_REQUEST, f"the body is not well-formed JSON {where}")
        if tuple(e["loc"]) == ("body",) and e["type"] in NO_OBJECT and not _is_json(request):
            return problem_response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _not_json(request))
    places = pointed(found)
    detail = "; ".join(f"{p['pointer']}: {p['detail']}" for p in places[:3]) + (" …" if len(places) > 3 else "")
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, problems=places)


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind.startswith("application/") and (kind == "application/json" or kind.endswith("+json"))


def _not_json(request: Request) -> str:
    given = request.headers.get("content-type", "")
    return f"send JSON, with the header Content-Type: application/json{f', not {given[:100]}' if given else ''}"


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return problem_response(error.status_code, error.detail, error.headers, error.problems)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem_response(HTTPStatus.NOT_FOUND, nothing_at(request))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and "Allow" in (error.headers or {}):
        taken = ", ".join(_methods(request)) or str((error.headers or {})["Allow"])
        detail = f"{request.url.path[:200]} takes {taken}, not {request.method[:20]}"
        return problem_response(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": taken})
    return problem_response(error.status_code, error.detail, error.headers)


def nothing_at(request: Request) -> str:
    """The sentence for an address that leads nowhere."""
    return f"there is nothing at {request.url.path[:200]}: the address may be mistyped, or what it named is gone"


def _methods(request: Request) -> list[str]:
    """Every method that some route takes at this address, not only the first route's."""
    takes = [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    return [*takes, "HEAD"] if "GET" in takes else takes


def _database(request: Request, error: Exception) -> Response:
    if isinstance(error, DataError):
        return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, "a value is outside of what the database can hold")
    passing = isinstance(error, (OperationalError, PoolTimeout)) or getattr(error, "connection_invalidated", False)
    if not passing:
        return _unforeseen(request, error)
    log.warning("the database does not answer: %s", error)
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the database does not answer; nothing was accepted, try again",
        {"Retry-After": str(RETRY_SECONDS)},
    )


def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; the log has the details")
