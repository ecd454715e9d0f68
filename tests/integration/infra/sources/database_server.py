"""A fake product database with the API of Open Food Facts: it enforces rate limits, and fails on request.

In a test: ``with running_database() as shop``, then RAYON_SOURCES_ADDRESS is ``shop.address``; ``closed_clean`` (the
default) fails the test when a limit was exceeded. By hand, with a real minute:

    python -m tests.integration.infra.sources.database_server --port 8799 --champagnes 40

A search or a read counts when it arrives, whatever the response is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.integration.infra.sources import database_responses
from tests.integration.infra.sources.database_products import ProductStock
from tests.integration.infra.sources.server_faults import Response

MINUTE = 60.0
PUBLISHED_LIMITS = {"search": 10, "read": 15}
STOCK = {"champagnes": 24, "green-teas": 9, "chocolate-biscuits": 12}


@dataclass(frozen=True)
class ReceivedRequest:
    """One request as it arrived; ``at`` is on the server's own clock, in seconds."""

    kind: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float


@dataclass
class ServerLimits:
    """The most requests of a kind that may arrive within any ``window`` seconds."""

    window: float = MINUTE
    most: Mapping[str, int] = field(default_factory=lambda: dict(PUBLISHED_LIMITS))
    violations: list[str] = field(default_factory=list)
    _arrived: dict[str, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrive(self, kind: str) -> bool:
        """Count an arrival; False when it is one too many."""
        if kind not in self.most:
            return True
        with self._lock:
            now = time.monotonic()
            times = self._arrived.setdefault(kind, deque())
            while times and times[0] <= now - self.window:
                times.popleft()
            times.append(now)
            if len(times) <= self.most[kind]:
                return True
            self.violations.append(f"{len(times)} requests of kind {kind} within {now - times[0]:.3f} s")
            return False


class DatabaseServer(ThreadingHTTPServer):
    """Serves ``goods``. ``faults`` are the responses to the next requests of a kind; later ones are answered normally.

    Kinds: ``search``, ``read``, ``photo``, ``robots``, ``file``, ``other``. ``robots`` is the text of robots.txt, or
    the status it is answered with.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *, port: int = 0, window: float = MINUTE, stock: Mapping[str, int] | None = None) -> None:
        super().__init__(("127.0.0.1", port), RequestHandler)
        self.limits = ServerLimits(window)
        self.goods = ProductStock()
        self.goods.stock(STOCK if stock is None else stock, self.address)
        self.faults: dict[str, list[Response]] = {}
        self.robots: str | int = "User-agent: *\nDisallow: /cgi/\n"
        self.requests: list[ReceivedRequest] = []
        self.closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def tag_of(self, body: bytes) -> str:
        """The ETag of a body."""
        return f'"{hashlib.sha256(body).hexdigest()[:20]}"'

    def asked(self, kind: str) -> list[ReceivedRequest]:
        """The requests of a kind so far."""
        return [request for request in list(self.requests) if request.kind == kind]

    def fail(self, kind: str, *ways: Response) -> None:
        """Answer the next requests of this kind so, one after the other."""
        self.faults.setdefault(kind, []).extend(ways)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error here."""


def kind_of(path: str) -> str:
    """The kind of a request, by its path."""
    for pattern, kind in (
        (r"/api/v[0-9.]+/search|/cgi/search\.pl", "search"),
        (r"/api/v[0-9.]+/product/.*", "read"),
        (r"/images/.*", "photo"),
        (r"/robots\.txt", "robots"),
        (r"/data/.*", "file"),
    ):
        if re.fullmatch(pattern, path):
            return kind
    return "other"


class RequestHandler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: DatabaseServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        kind = kind_of(parts.path)
        within = self.server.limits.arrive(kind)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.server.requests.append(ReceivedRequest(kind, parts.path, query, dict(self.headers), time.monotonic()))
        ways = self.server.faults.get(kind)
        if not within:
            self.send(429, b"<html><body>Too many requests</body></html>", "text/html", Retry_After="60")
        elif ways:
            ways.pop(0)(self)
        else:
            self.properly()

    def do_HEAD(self) -> None:
        self.do_GET()

    def properly(self) -> None:
        """Answer normally."""
        database_responses.answer(self)

    def send_json(self, content: Any, status: int = 200) -> None:
        self.send(status, json.dumps(content, ensure_ascii=False).encode(), "application/json; charset=utf-8")

    def send(self, status: int, body: bytes, content_type: str, **headers: str) -> None:
        """Send the body, 304 to a client that has it already, or the range that was asked for."""
        if status == 200:
            tag = self.server.tag_of(body)
            headers["ETag"] = tag
            if self.headers.get("If-None-Match") == tag:
                status, body = 304, b""
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if found and self.headers.get("If-Range", tag) == tag:
                begin, size = int(found[1]), len(body)
                status, body = (206, body[begin:]) if begin < size else (416, b"")
                headers["Content_Range"] = f"bytes {f'{begin}-{size - 1}' if body else '*'}/{size}"
        self.head(status, Content_Type=content_type, Content_Length=str(len(body)), **headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        """Silent."""


@contextmanager
def running_database(
    *, window: float = 1.0, stock: Mapping[str, int] | None = None, port: int = 0, closed_clean: bool = True
) -> Iterator[DatabaseServer]:
    """A database in threads of this process, until the ``with`` ends; AssertionError then if its limits were exceeded.

    ``window`` is how long its minute is, in seconds.
    """
    with DatabaseServer(port=port, window=window, stock=stock) as shop:
        threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield shop
        finally:
            shop.closing.set()
            shop.shutdown()
    if closed_clean:
        assert not shop.limits.violations, shop.limits.violations


def main() -> None:
    """Serve until Ctrl-C, and print the requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8799)
    parser.add_argument("--window", type=float, default=MINUTE, help="how long its minute is, in seconds")
    parser.add_argument("--champagnes", type=int, default=STOCK["champagnes"])
    given = parser.parse_args()
    stock = {**STOCK, "champagnes": given.champagnes}
    with running_database(window=given.window, stock=stock, port=given.port, closed_clean=False) as shop:
        print(f"RAYON_SOURCES_ADDRESS={shop.address} RAYON_FETCH_ALLOW_PRIVATE=true", flush=True)
        try:
            printed = 0
            while True:
                time.sleep(0.2)
                for request in shop.requests[printed:]:
                    print(f"{request.at:.3f} {request.kind} {request.path} {dict(request.query)}", flush=True)
                    printed += 1
        except KeyboardInterrupt:
            print(f"{printed} requests; limits exceeded: {shop.limits.violations or 'never'}", flush=True)


if __name__ == "__main__":
    main()
