"""Sends an HTTP request to an IP address that was checked beforehand, and aborts it at a deadline."""

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
    """The response of a host; header names are lower-case, and the body is read only for a 2xx status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class UnusableResponse(PermanentFailure):
    """A response body that is too large, or has a content encoding that was not requested."""


class Deadline:
    """A time at which watched sockets are shut down, so that a host that sends slowly cannot block a worker."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def remaining_seconds(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(self._end - time.monotonic(), 0.0)

    @contextmanager
    def watch(self, watched: socket.socket) -> Iterator[None]:
        """Shut down ``watched`` at the deadline; close it when the ``with`` ends."""
        timer = threading.Timer(self.remaining_seconds, _shut_down, [watched])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            watched.close()


class _PinnedHTTP(HTTPConnection):
    # Only the socket is replaced: the Host header, SNI and the certificate check still use the host name.
    connected_socket: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.connected_socket


class _PinnedHTTPS(HTTPSConnection):
    connected_socket: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.connected_socket


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

    Raises AddressUnavailable when there is no valid response before the deadline, UnusableResponse when its body is
    unusable.
    """
    target = request.target
    connected_socket = _connect(addresses, target, policy, deadline)
    # Watches a duplicate, because TLS takes over the first descriptor; shutting down either one ends the connection.
    with _translated_errors(target, deadline), deadline.watch(connected_socket.dup()):
        connection = _open(target, connected_socket, policy, max(deadline.remaining_seconds, 0.01))
        try:
            request_headers = dict(request.headers)
            connection.request(
                request.method, target.path, body=request.body, headers=request_headers, preload_content=False
            )
            response = connection.getresponse()
            response_headers = {name.lower(): value for name, value in response.headers.items()}
            content = b""
            if 200 <= response.status < 300:
                _check_headers(response_headers, policy)
                content = _read(response, policy.max_bytes)
                if not deadline.remaining_seconds:  # a body without a length would look complete
                    raise TimeoutError
                if response.length_remaining:
                    raise AddressUnavailable(Reason.of(ReasonCode.HOST_CLOSED_CONNECTION, host=target.host))
            return HttpResponse(response.status, response_headers, content)
        finally:
            connection.close()
            connected_socket.close()


def _connect(addresses: Sequence[IPAddress], target: Target, policy: FetchPolicy, deadline: Deadline) -> socket.socket:
    failure = Reason.of(ReasonCode.HOST_SLOW_TO_CONNECT, host=target.host)
    for address in addresses:
        if not deadline.remaining_seconds:
            break
        try:
            return socket.create_connection(
                (str(address), target.port), min(policy.connect_timeout, deadline.remaining_seconds)
            )
        except OSError as error:
            details = {"host": target.host, "address": str(address), "error": str(error)}
            failure = Reason(ReasonCode.HOST_REFUSES_CONNECTION, details)
    raise AddressUnavailable(failure)


def _open(
    target: Target, connected_socket: socket.socket, policy: FetchPolicy, timeout: float
) -> _PinnedHTTP | _PinnedHTTPS:
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
    connected_socket.settimeout(timeout)  # applies to the TLS handshake too
    connection.connected_socket = connected_socket
    return connection


def _check_headers(headers: Mapping[str, str], policy: FetchPolicy) -> None:
    content_length = headers.get("content-length", "")
    if content_length.isdigit() and int(content_length) > policy.max_bytes:
        raise UnusableResponse(Reason.of(ReasonCode.ANSWER_TOO_LARGE, limit=policy.max_bytes))
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise UnusableResponse(Reason.of(ReasonCode.ANSWER_COMPRESSED, encoding=encoding))


def _read(response: HTTPResponse, max_bytes: int) -> bytes:
    content = bytearray()
    while chunk := response.read1(CHUNK_BYTES, decode_content=False):
        content += chunk
        if len(content) > max_bytes:
            raise UnusableResponse(Reason.of(ReasonCode.ANSWER_TOO_LARGE, limit=max_bytes))
    return bytes(content)


@contextmanager
def _translated_errors(target: Target, deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPError, HTTPException, ValueError) as error:
        if not deadline.remaining_seconds or isinstance(error, TimeoutError):
            raise AddressUnavailable(Reason.of(ReasonCode.HOST_TOO_SLOW, host=target.host)) from error
        reason = Reason.of(ReasonCode.HOST_ANSWERS_BADLY, host=target.host, error=str(error))
        raise AddressUnavailable(reason) from error


def _shut_down(watched: socket.socket) -> None:
    try:
        watched.shutdown(socket.SHUT_RDWR)
    except OSError:  # already closed by the host
        return
