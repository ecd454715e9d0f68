"""Exception handlers that answer every error with a problem document (RFC 9457)."""

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

from api.language import language_of
from pipeline.domain import errors
from pipeline.domain.api_key import Scope
from pipeline.domain.reason import Reason, coded_reason, reason_of
from pipeline.domain.reason_code import ReasonCode
from pipeline.localisation.localised_text import Language
from pipeline.localisation.message_catalogues import SOURCE_LANGUAGE

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5

STATUS_BY_ERROR: tuple[tuple[type[errors.RayonError], HTTPStatus], ...] = (
    (errors.InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.NotFound, HTTPStatus.NOT_FOUND),
    (errors.IdempotencyKeyReused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.Conflict, HTTPStatus.CONFLICT),
    (errors.PermanentFailure, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.TransientFailure, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ENGLISH = Language(SOURCE_LANGUAGE)
# Pydantic's error types for a body that is not an object.
NOT_AN_OBJECT_ERRORS = {"model_attributes_type", "model_type", "dict_type"}
log = logging.getLogger(__name__)


class Problem(HTTPException):
    """An error with its status, reason and headers.

    It is an HTTPException because FastAPI turns any other exception raised while it reads a body into a 400.
    """

    def __init__(
        self,
        status: HTTPStatus,
        reason: Reason | str,
        headers: Mapping[str, str] | None = None,
        error_details: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(status, str(reason), dict(headers or {}))
        self.reason = reason if isinstance(reason, Reason) else Reason.other(reason)
        self.error_details = error_details


def scope_problem(scope: Scope) -> Problem:
    """A 403 that names the scope the key lacks."""
    return Problem(HTTPStatus.FORBIDDEN, Reason.of(ReasonCode.SCOPE_NEEDED, scope=scope.value))


def problem_response(
    status: int,
    reason: Reason,
    language: Language,
    headers: Mapping[str, str] | None = None,
    error_details: Sequence[Mapping[str, str]] = (),
) -> JSONResponse:
    """A response with type, title, status, detail, the coded reason if there is one, and the errors by pointer."""
    document: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status)}
    document["detail"] = language.reason(reason)
    if coded := coded_reason(reason):
        document["coded_reason"] = coded
    if error_details:
        document["errors"] = list(error_details)
    all_headers = {**(headers or {}), "Vary": "Accept-Language"}
    return JSONResponse(document, status, all_headers, MEDIA_TYPE)


def errors_by_pointer(validation_errors: Sequence[Any], language: Language = ENGLISH) -> list[dict[str, str]]:
    """Pydantic's errors, each as a JSON pointer and a sentence, without the invalid values."""
    return [{"pointer": _pointer(e["loc"]), "detail": language.reason(_reason(e))} for e in validation_errors]


def _reason(validation_error: Mapping[str, Any]) -> Reason:
    if validation_error["type"] in NOT_AN_OBJECT_ERRORS:
        return Reason(ReasonCode.OBJECT_NEEDED)
    if validation_error["type"] == "missing" and tuple(validation_error["loc"]) == ("body",):
        return Reason(ReasonCode.BODY_MISSING)
    return Reason.other(str(validation_error["msg"]).removeprefix("Value error, "))


def _pointer(location: Sequence[int | str]) -> str:
    parts = list(location[1:]) if location and location[0] == "body" else list(location)
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts) or "/"


def install(app: FastAPI) -> None:
    """Add handlers that answer every error of this app with a problem document."""
    app.add_exception_handler(errors.RayonError, _answer_rayon_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    for error_type in (DBAPIError, PoolTimeout):
        app.add_exception_handler(error_type, _answer_database_error)
    app.add_exception_handler(Exception, _answer_unexpected_error)


def _answer_rayon_error(request: Request, error: Exception) -> Response:
    status = next(
        (s for error_type, s in STATUS_BY_ERROR if isinstance(error, error_type)), HTTPStatus.INTERNAL_SERVER_ERROR
    )
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return problem_response(status, reason_of(error), language_of(request), retry)


def _answer_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    language = language_of(request)
    validation_errors = error.errors()
    for e in validation_errors:
        if e["type"] == "json_invalid":
            message = str(e.get("ctx", {}).get("error", "it cannot be read"))
            reason = Reason.of(ReasonCode.MALFORMED_JSON, position=int(e["loc"][-1]) + 1, error=message)
            return problem_response(HTTPStatus.BAD_REQUEST, reason, language)
        if tuple(e["loc"]) == ("body",) and e["type"] in NOT_AN_OBJECT_ERRORS and not _is_json(request):
            return problem_response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _not_json(request), language)
    pointed_errors = errors_by_pointer(validation_errors, language)
    detail = "; ".join(f"{p['pointer']}: {p['detail']}" for p in pointed_errors[:3]) + (
        " …" if len(pointed_errors) > 3 else ""
    )
    return problem_response(
        HTTPStatus.UNPROCESSABLE_ENTITY, Reason.other(detail), language, error_details=pointed_errors
    )


def _is_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def _not_json(request: Request) -> Reason:
    content_type = request.headers.get("content-type", "")
    if not content_type:
        return Reason(ReasonCode.NOT_JSON)
    return Reason.of(ReasonCode.OTHER_MEDIA_TYPE, given=content_type[:100])


def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    language = language_of(request)
    if isinstance(error, Problem):
        return problem_response(error.status_code, error.reason, language, error.headers, error.error_details)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem_response(HTTPStatus.NOT_FOUND, path_not_found(request), language)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and "Allow" in (error.headers or {}):
        methods = _allowed_methods(request) or [str((error.headers or {})["Allow"])]
        path, method = request.url.path[:200], request.method[:20]
        reason = Reason.of(ReasonCode.METHOD_NOT_ALLOWED, path=path, methods=methods, method=method)
        return problem_response(HTTPStatus.METHOD_NOT_ALLOWED, reason, language, {"Allow": ", ".join(methods)})
    return problem_response(error.status_code, Reason.other(error.detail), language, error.headers)


def path_not_found(request: Request) -> Reason:
    """The reason for a path that has no route or no resource."""
    return Reason.of(ReasonCode.NOTHING_HERE, path=request.url.path[:200])


def _allowed_methods(request: Request) -> list[str]:
    """The methods that any route accepts at this path, not only those of the first matching route."""
    methods = [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    return [*methods, "HEAD"] if "GET" in methods else methods


def _answer_database_error(request: Request, error: Exception) -> Response:
    language = language_of(request)
    if isinstance(error, DataError):
        return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, Reason(ReasonCode.VALUE_OUT_OF_RANGE), language)
    transient = isinstance(error, (OperationalError, PoolTimeout)) or getattr(error, "connection_invalidated", False)
    if not transient:
        return _answer_unexpected_error(request, error)
    log.warning("the database does not answer: %s", error)
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, Reason(ReasonCode.DATABASE_AWAY), language, retry)


def _answer_unexpected_error(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    reason = Reason(ReasonCode.UNFORESEEN)
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, reason, language_of(request))
