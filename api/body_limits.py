"""Middleware: limits on the size of request bodies, and HEAD for every GET."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.language import language_of
from api.problems import Problem, problem_response
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

# Enough for a listing at all its limits, in escaped JSON.
BODY_LIMIT = 8_000_000
BATCH_LIMIT = 64_000_000
LARGER_LIMITS = {"/v1/listings/batch": BATCH_LIMIT}
# The upload route counts its own bytes.
UNLIMITED_PATHS = ("/v1/objects/",)


class LimitedBodies:
    """ASGI middleware: 413 for a body beyond the limit of its path."""

    def __init__(self, app: ASGIApp, upload_limit: int) -> None:
        self._app = app
        # Pages send a form with a photo.
        self._form_limit = upload_limit + BODY_LIMIT

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that ends in 413 when it grows too large."""
        if scope["type"] != "http" or scope["path"].startswith(UNLIMITED_PATHS):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        limit = LARGER_LIMITS.get(path, BODY_LIMIT if path.startswith("/v1/") else self._form_limit)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            language = language_of(Request(scope))
            await problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(limit), language)(
                scope, receive, send
            )
            return
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(limit))
            return message

        await self._app(scope, counting, send)


def _too_large(limit: int) -> Reason:
    return Reason.of(ReasonCode.BODY_TOO_LARGE, limit=limit)
