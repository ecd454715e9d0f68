"""Faults of a product database: responses to one request, to be given to ``DatabaseServer.fail``."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.integration.infra.sources.database_server import RequestHandler

Response = Callable[["RequestHandler"], None]
TROUBLE = b"<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"


def normal(asked: RequestHandler) -> None:
    """A normal response, for requests between two faults."""
    asked.properly()


def busy(status: int = 503, retry_after: str | None = None) -> Response:
    """429 or 503 with a web page, as the real ones have."""
    headers = {} if retry_after is None else {"Retry_After": retry_after}
    return lambda asked: asked.send(status, TROUBLE, "text/html; charset=utf-8", **headers)


def page(asked: RequestHandler) -> None:
    """A web page with status 200."""
    asked.send(200, TROUBLE, "text/html; charset=utf-8")


def nothing(asked: RequestHandler) -> None:
    """Status 200 without a body."""
    asked.send(200, b"", "application/json")


def truncated(asked: RequestHandler) -> None:
    """JSON that ends in the middle, although its length is right."""
    whole = json.dumps({"count": 3, "products": [{"code": "3017620422003", "product_name": "Pâte à tartiner"}]})
    asked.send(200, whole[: len(whole) * 2 // 3].encode(), "application/json")


def cut(asked: RequestHandler) -> None:
    """Half a body, then the connection is reset."""
    asked.head(200, Content_Type="application/json", Content_Length="10000")
    asked.wfile.write(b'{"count": 3, "products": [' + b" " * 2000)
    asked.wfile.flush()
    asked.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    asked.close_connection = True
    asked.connection.close()


def ended(asked: RequestHandler) -> None:
    """Half a body, then the end of the connection."""
    asked.head(200, Content_Type="application/json", Content_Length="10000")
    asked.wfile.write(b'{"count": 3, "products": [')
    asked.close_connection = True


def slow(seconds: float) -> Response:
    """A normal response, late; a server that closes does not wait."""

    def way(asked: RequestHandler) -> None:
        asked.server.closing.wait(seconds)
        asked.properly()

    return way


def dripping(asked: RequestHandler) -> None:
    """A byte now and then, without end."""
    asked.head(200, Content_Type="application/json", Content_Length="1000000")
    asked.close_connection = True
    while not asked.server.closing.wait(0.05):
        asked.wfile.write(b" ")
        asked.wfile.flush()


def endless(asked: RequestHandler) -> None:
    """A body without end."""
    asked.head(200, Content_Type="application/json", Transfer_Encoding="chunked")
    asked.close_connection = True
    while not asked.server.closing.is_set():
        asked.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")


def redirect(to: str, status: int = 302) -> Response:
    """A redirect."""
    return lambda asked: asked.send(status, b"", "text/html", Location=to)


def content(given: Any, status: int = 200) -> Response:
    """This JSON, whatever the request was."""
    return lambda asked: asked.send_json(given, status)
