"""One HTTP request to an IP address chosen beforehand, cut off at a deadline whatever the other side does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse as HTTPResponse

from infra.safe_fetch.addresses import FetchPolicy, IPAddress, Target
from pipeline.domain.errors import AddressUnavailable, PermanentFailure
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The response of a host; header names are lower-case, and only a 2xx response has its body read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class UnusableResponse(PermanentFailure):
    """A body that is too large, or encoded in a way that was not requested."""


class Deadline:
    """A point in time at which watched sockets are shut down, so that a slow drip of bytes cannot hold a worker."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        return max(self._end - time.monotonic(), 0.0)

    @contextmanager
    def watch(self, watched: socket.socket) -> Iterator[None]:
        """Shut ``watched`` down at the deadline; close it in any case."""
        timer = threading.Timer(self.left, _shut_down, [watched])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            watched.close()


class _PinnedHTTP(HTTPConnection):
    # Only the socket differs: the name stays in the Host header, in SNI and in the certificate check.
    connected: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.connected


class _PinnedHTTPS(HTTPSConnection):
    connected: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.connected


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to a checked target."""

    method: str
    target: Target
    headers: Mapping[str, str]
    body: bytes | None = None


def send_request(
    request: HttpRequest, addresses: Sequence[IPAddress], policy: FetchPolicy, deadline: Deadline
) -> HttpResponse:
    """Send a request to the first of ``addresses`` that accepts a connection; redirects are not followed.

    Raises AddressUnavailable when none gives a proper response in time, UnusableResponse when the body is unusable.
    """
    target = request.target
    connected = _connect(addresses, target, policy, deadline)
    # A duplicate, because TLS takes over the first descriptor; shutting down either shuts down the connection.
    with _named_errors(target, deadline), deadline.watch(connected.dup()):
        connection = _open(target, connected, policy, max(deadline.left, 0.01))
        try:
            headers = dict(request.headers)
            connection.request(request.method, target.path, body=request.body, headers=headers, preload_content=False)
            response = connection.getresponse()
            lowered = {name.lower(): value for name, value in response.headers.items()}
            content = b""
            if 200 <= response.status < 300:
                _check_announced(lowered, policy)
                content = _read(response, policy.max_bytes)
                if not deadline.left:  # a body without a length would look complete
                    raise TimeoutError
                if response.length_remaining:
                    raise AddressUnavailable(Reason.of(ReasonCode.HOST_CLOSED_CONNECTION, host=target.host))
            return HttpResponse(response.status, lowered, content)
        finally:
            connection.close()
            connected.close()


def _connect(addresses: Sequence[IPAddress], target: Target, policy: FetchPolicy, deadline: Deadline) -> socket.socket:
    reason = Reason.of(ReasonCode.HOST_SLOW_TO_CONNECT, host=target.host)
    for address in addresses:
        if not deadline.left:
            break
        try:
            return socket.create_connection((str(address), target.port), min(policy.connect_time, deadline.left))
        except OSError as error:
            refusal = {"host": target.host, "address": str(address), "error": str(error)}
            reason = Reason(ReasonCode.HOST_REFUSES_CONNECTION, refusal)
    raise AddressUnavailable(reason)


def _open(target: Target, connected: socket.socket, policy: FetchPolicy, timeout: float) -> _PinnedHTTP | _PinnedHTTPS:
    connection: _PinnedHTTP | _PinnedHTTPS
    if target.scheme == "https":
        connection = _PinnedHTTPS(
            target.host,
            target.port,
            timeout=timeout,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(policy.ca_file or certifi.where()),
        )
    else:
        connection = _PinnedHTTP(target.host, target.port, timeout=timeout)
    connected.settimeout(timeout)  # applies to the TLS handshake too
    connection.connected = connected
    return connection


def _check_announced(headers: Mapping[str, str], policy: FetchPolicy) -> None:
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > policy.max_bytes:
        raise UnusableResponse(Reason.of(ReasonCode.ANSWER_TOO_LARGE, limit=policy.max_bytes))
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise UnusableResponse(Reason.of(ReasonCode.ANSWER_COMPRESSED, encoding=encoding))


def _read(response: HTTPResponse, limit: int) -> bytes:
    content = bytearray()
    while chunk := response.read1(CHUNK_BYTES, decode_content=False):
        content += chunk
        if len(content) > limit:
            raise UnusableResponse(Reason.of(ReasonCode.ANSWER_TOO_LARGE, limit=limit))
    return bytes(content)


@contextmanager
def _named_errors(target: Target, deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPError, HTTPException, ValueError) as error:
        if not deadline.left or isinstance(error, TimeoutError):
            raise AddressUnavailable(Reason.of(ReasonCode.HOST_TOO_SLOW, host=target.host)) from error
        reason = Reason.of(ReasonCode.HOST_ANSWERS_BADLY, host=target.host, error=str(error))
        raise AddressUnavailable(reason) from error


def _shut_down(watched: socket.socket) -> None:
    try:
        watched.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side closed it first
        return
