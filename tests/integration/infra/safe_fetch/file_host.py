"""A publisher of one file: it supports ranges, or fails on request, one request after the other."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipeline.domain.published_file import PublishedFile

Response = Callable[["FileRequestHandler"], None]


class FileHost(ThreadingHTTPServer):
    """Serves ``content`` under every path; ``ways`` are the responses to the next requests, normal after them."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), FileRequestHandler)
        self.content = content
        self.tag = '"one"'
        self.ways: list[Response] = []
        self.asked: list[dict[str, str]] = []
        self.sent = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/weights.h5"

    def published(self, **known: Any) -> PublishedFile:
        """The published file: by default with its size and SHA-256."""
        by_default: dict[str, Any] = {"size": len(self.content), "sha256": hashlib.sha256(self.content).hexdigest()}
        return PublishedFile("weights.h5", self.address, **(by_default | known))

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.asked]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error here."""


class FileRequestHandler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: FileHost

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        self.close_connection = True
        (self.server.ways.pop(0) if self.server.ways else normal)(self)

    def head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, body: bytes) -> None:
        self.server.sent += len(body)
        self.wfile.write(body)

    def cut(self) -> None:
        """Reset the connection, as when the network fails."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *words: Any) -> None:
        """Silent."""


def normal(asked: FileRequestHandler, share: float = 1.0) -> None:
    """Range and If-Range as in a real server; ``share`` of the body is sent."""
    content, tag = asked.server.content, asked.server.tag
    found = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("Range", ""))
    start = int(found[1]) if found and asked.headers.get("If-Range", tag) == tag else None
    if start is not None and start >= len(content):
        asked.head(416, Content_Range=f"bytes */{len(content)}", Content_Length="0")
        return
    body = content[start or 0 :]
    said = {"Content_Length": str(len(body)), "ETag": tag}
    if start is not None:
        said["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    asked.head(200 if start is None else 206, **said)
    asked.send(body[: int(share * len(body))])


def ended_after(share: float) -> Response:
    """Part of the body, then the end of the connection."""
    return lambda asked: normal(asked, share)


def cut_after(share: float) -> Response:
    """Part of the body, then the connection is reset."""

    def way(asked: FileRequestHandler) -> None:
        normal(asked, share)
        asked.cut()

    return way


def without_ranges(share: float = 1.0) -> Response:
    """The whole file, whatever range was requested, and no validator."""

    def way(asked: FileRequestHandler) -> None:
        content = asked.server.content
        asked.head(200, Content_Length=str(len(content)))
        asked.send(content[: int(share * len(content))])

    return way


def without_length(asked: FileRequestHandler) -> None:
    asked.head(200)
    asked.send(asked.server.content)


def status(number: int, **headers: str) -> Response:
    return lambda asked: asked.head(number, Content_Length="0", **headers)


def page(asked: FileRequestHandler) -> None:
    asked.head(200, Content_Type="text/html; charset=utf-8")
    asked.send(b"<html>log in</html>")


@contextmanager
def running_file_host(content: bytes) -> Iterator[FileHost]:
    """A host in threads of this process, until the ``with`` ends."""
    with FileHost(content) as host:
        threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield host
        host.shutdown()
