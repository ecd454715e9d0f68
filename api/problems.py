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

from pipeline.domain import errors

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5

STATUS_OF: tuple[tuple[type[errors.RayonError], HTTPStatus], ...] = (
    (errors.InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.PermanentFailure, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.TransientFailure, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
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
    return [{"pointer": _pointer(e["loc"]), "detail": str(e["msg"]).removeprefix("Value error, ")} for e in found]


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


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        return problem_response(HTTPStatus.BAD_REQUEST, "the body is not well-formed JSON", problems=pointed(found))
    places = pointed(found)
    detail = "; ".join(f"{p['pointer']}: {p['detail']}" for p in places[:3]) + (" …" if len(places) > 3 else "")
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, problems=places)


def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problems = error.problems if isinstance(error, Problem) else ()
    return problem_response(error.status_code, error.detail, error.headers, problems)


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
