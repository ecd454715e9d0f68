"""A host of photos that misbehaves as real ones do, in threads of the test's process."""

from __future__ import annotations

import gzip
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


def jpeg(size: tuple[int, int] = (8, 6)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "red").save(stream, "JPEG")
    return stream.getvalue()


PHOTO = jpeg()


class PhotoHost(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), PhotoRequestHandler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.closing = threading.Event()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""


class PhotoRequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PhotoHost

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        route, _, argument = self.path.split("?")[0].lstrip("/").partition("/")
        self.close_connection = True
        ROUTES.get(route, not_found)(self, argument)

    def do_POST(self) -> None:
        self.do_GET()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Silent."""

    def drip(self, piece: bytes) -> None:
        while not self.server.closing.wait(0.02):
            self.wfile.write(piece)


def not_found(h: PhotoRequestHandler, _argument: str) -> None:
    h.answer(404)


def redirect(h: PhotoRequestHandler, argument: str) -> None:
    h.answer(302, Location=argument)


def count_down(h: PhotoRequestHandler, argument: str) -> None:
    left = int(argument)
    h.answer(307, Location=f"/count/{left - 1}") if left else h.answer(200, PHOTO)


def slow_redirect(h: PhotoRequestHandler, _argument: str) -> None:
    h.server.closing.wait(0.3)
    h.answer(302, Location="/slow-redirect")


def drip_body(h: PhotoRequestHandler, _argument: str) -> None:
    h.answer(200, Content_Length="100000")
    h.drip(b"x")


def drip_endless_body(h: PhotoRequestHandler, _argument: str) -> None:
    h.answer(200, Content_Length="")
    h.drip(b"x")


def drip_headers(h: PhotoRequestHandler, _argument: str) -> None:
    h.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    h.drip(b"x")


def drip_chunk_size(h: PhotoRequestHandler, _argument: str) -> None:
    h.answer(200, Content_Length="", Transfer_Encoding="chunked")
    h.drip(b"0")


def endless(h: PhotoRequestHandler, _argument: str) -> None:
    h.answer(200, Content_Length="")
    while True:
        h.wfile.write(b"x" * 65536)


def endless_chunks(h: PhotoRequestHandler, _argument: str) -> None:
    h.answer(200, Content_Length="", Transfer_Encoding="chunked")
    while True:
        h.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def garbage(h: PhotoRequestHandler, _argument: str) -> None:
    h.wfile.write(b"\x00\x01 SSH-2.0 nonsense\r\n\r\n")


ROUTES: dict[str, Callable[[PhotoRequestHandler, str], None]] = {
    "photo.jpg": lambda h, _: h.answer(200, PHOTO, Content_Type="text/html"),
    "chunked": lambda h, _: h.answer(
        200, b"%x\r\n%s\r\n0\r\n\r\n" % (len(PHOTO), PHOTO), Content_Length="", Transfer_Encoding="chunked"
    ),
    "big-picture": lambda h, _: h.answer(200, jpeg((200, 200)), Content_Type="image/jpeg"),
    "html": lambda h, _: h.answer(200, b"<!doctype html><p>Sign in", Content_Type="image/jpeg"),
    "empty": lambda h, _: h.answer(200, b"", Content_Type="image/jpeg"),
    "short": lambda h, _: h.answer(200, PHOTO, Content_Length=str(len(PHOTO) + 100)),
    "announced": lambda h, _: h.answer(200, PHOTO, Content_Length="99999999"),
    "bomb": lambda h, _: h.answer(200, gzip.compress(b"\0" * 50_000_000, 9), Content_Encoding="gzip"),
    "status": lambda h, a: h.answer(int(a)),
    "busy": lambda h, a: h.answer(429, Retry_After=a.replace("_", " ")),
    "to": redirect,
    "count": count_down,
    "slow-redirect": slow_redirect,
    "drip-body": drip_body,
    "drip-endless": drip_endless_body,
    "drip-headers": drip_headers,
    "drip-chunk-size": drip_chunk_size,
    "endless": endless,
    "endless-chunks": endless_chunks,
    "garbage": garbage,
}


@contextmanager
def running_photo_host(host: PhotoHost) -> Iterator[PhotoHost]:
    thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        host.closing.set()
        host.shutdown()
        host.server_close()
        thread.join()
