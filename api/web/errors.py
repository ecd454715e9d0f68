"""Errors as pages, for those who asked for one: the same status and sentence as the problem document."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from api.problems import MEDIA_TYPE, nothing_at
from api.web.rendering import render

MACHINE_PATHS = ("/v1/", "/metrics", "/healthz", "/readyz")
Handler = Callable[[Request, Exception], Response | Awaitable[Response]]
TITLES = {
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.FORBIDDEN: "This is not for your key",
    HTTPStatus.UNPROCESSABLE_ENTITY: "That could not be used",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "That was too large",
    HTTPStatus.SERVICE_UNAVAILABLE: "One moment, please",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here",
}


def wants_page(request: Request) -> bool:
    """Whether a person looks at this with a browser."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(MACHINE_PATHS)


def install(app: FastAPI) -> None:
    """Put a page in front of every error handler that the app has by now."""
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _as_page(handler))


def _as_page(handler: Handler) -> Handler:
    async def answer(request: Request, error: Exception) -> Response:
        answered: Any = handler(request, error)
        response: Response = await answered if inspect.isawaitable(answered) else answered
        if "location" in response.headers:
            return RedirectResponse(response.headers["location"], response.status_code)
        if response.media_type != MEDIA_TYPE or not wants_page(request):
            return response
        document = json.loads(bytes(response.body))
        detail, status = document.get("detail", ""), HTTPStatus(response.status_code)
        # Nobody types an id: an address that has none that could be leads nowhere.
        if any(place["pointer"].startswith("/path/") for place in document.get("errors", ())):
            detail, status = nothing_at(request), HTTPStatus.NOT_FOUND
        context = {"title": TITLES.get(status, status.phrase), "detail": detail, "code": int(status)}
        page = render(request, "error.html", None, context, status)
        if "retry-after" in response.headers:
            page.headers["Retry-After"] = response.headers["retry-after"]
        return page

    return answer
