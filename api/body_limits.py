"""Middleware that limits the size of request bodies."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.language import language_of
from api.problems import Problem, problem_response
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

# Bytes; enough for the largest valid listing in escaped JSON.
MAX_BODY_BYTES = 8_000_000
MAX_BODY_BYTES_BY_PATH = {"/v1/listings/batch": 64_000_000}
# Shopify's taxonomy in JSON has 40 MB.
MAX_CATEGORIES_BYTES = 64_000_000
TAXONOMIES_PATH = "/v1/taxonomies/"
# The upload route checks the size itself.
UNLIMITED_PATHS = ("/v1/objects/",)


class BodyLimitMiddleware:
    """ASGI middleware: answers 413 to a body larger than the limit of its path."""

    def __init__(self, app: ASGIApp, upload_limit: int) -> None:
        self._app = app
        # Forms of the pages may contain a photo.
        self._max_form_bytes = upload_limit + MAX_BODY_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; reading its body raises 413 beyond the limit, whatever Content-Length declares."""
        if scope["type"] != "http" or scope["path"].startswith(UNLIMITED_PATHS):
            await self._app(scope, receive, send)
            return
        max_bytes = self._max_bytes(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > max_bytes:
            language = language_of(Request(scope))
            await problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(max_bytes), language)(
                scope, receive, send
            )
            return
        received_bytes = 0

        async def counting_receive() -> Message:
            nonlocal received_bytes
            message = await receive()
            if message["type"] == "http.request":
                received_bytes += len(message.get("body", b""))
                if received_bytes > max_bytes:
                    raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(max_bytes))
            return message

        await self._app(scope, counting_receive, send)

    def _max_bytes(self, path: str) -> int:
        if path.startswith(TAXONOMIES_PATH):
            return MAX_CATEGORIES_BYTES
        return MAX_BODY_BYTES_BY_PATH.get(path, MAX_BODY_BYTES if path.startswith("/v1/") else self._max_form_bytes)


def _too_large(max_bytes: int) -> Reason:
    return Reason.of(ReasonCode.BODY_TOO_LARGE, limit=max_bytes)
