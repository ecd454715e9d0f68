"""Errors as HTML pages for browsers, with the same status and detail as the problem document."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from api.problems import MEDIA_TYPE, path_not_found
from api.web.rendering import render
from pipeline.domain.reason import Reason
from pipeline.localisation.message_catalogues import gettext_noop

PATHS_WITHOUT_PAGES = ("/v1/", "/metrics", "/healthz", "/readyz")
Handler = Callable[[Request, Exception], Response | Awaitable[Response]]
TITLES = {
    HTTPStatus.NOT_FOUND: gettext_noop("There is nothing here"),
    HTTPStatus.FORBIDDEN: gettext_noop("Your key does not allow this"),
    HTTPStatus.UNPROCESSABLE_ENTITY: gettext_noop("That cannot be used"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: gettext_noop("That is too large"),
    HTTPStatus.SERVICE_UNAVAILABLE: gettext_noop("One moment, please"),
    HTTPStatus.INTERNAL_SERVER_ERROR: gettext_noop("Something went wrong here"),
}


def wants_page(request: Request) -> bool:
    """Whether the request comes from a browser and its path is not of the API or for monitoring."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(PATHS_WITHOUT_PAGES)


def install(app: FastAPI) -> None:
    """Wrap every error handler that the app has so far, so that browsers get a page."""
    for error_type, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(error_type, _as_page(handler))


def _as_page(handler: Handler) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        result: Any = handler(request, error)
        response: Response = await result if inspect.isawaitable(result) else result
        if "location" in response.headers:
            return RedirectResponse(response.headers["location"], response.status_code)
        if response.media_type != MEDIA_TYPE or not wants_page(request):
            return response
        document = json.loads(bytes(response.body))
        detail: Reason | str = document.get("detail", "")
        status = HTTPStatus(response.status_code)
        # On pages, an invalid id in the path is a page that does not exist, not invalid input.
        if any(e["pointer"].startswith("/path/") for e in document.get("errors", ())):
            detail, status = path_not_found(request), HTTPStatus.NOT_FOUND
        variables = {"title": TITLES.get(status, status.phrase), "detail": detail, "code": int(status)}
        page = render(request, "web/error.html", None, variables, status)
        if "retry-after" in response.headers:
            page.headers["Retry-After"] = response.headers["retry-after"]
        return page

    return handle
