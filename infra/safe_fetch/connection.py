"""One HTTP exchange with an IP address chosen beforehand, cut off at a deadline whatever the other side does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from infra.safe_fetch.addresses import IPAddress, Target
from infra.safe_fetch.policy import FetchPolicy
from pipeline.domain.errors import AddressUnavailable, PermanentFailure

PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are lower-case. The body is read only of a 2xx answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class UnusableAnswer(PermanentFailure):
    """A body that is too large, or encoded in a way that was not asked for."""


class Deadline:
    """A point in time after which a watched socket is cut, so that a slow drip of bytes cannot hold a worker."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then, never negative."""
        return max(self._end - time.monotonic(), 0.0)

    @contextmanager
    def watch(self, watched: socket.socket) -> Iterator[None]:
        """Shut ``watched`` down at the deadline; closes it in any case."""
        timer = threading.Timer(self.left, _shut, [watched])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            watched.close()


class _PinnedHTTP(HTTPConnection):
    # Only the socket differs: the name stays in the Host header, in SNI and in the check of the certificate.
    ready: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.ready


class _PinnedHTTPS(HTTPSConnection):
    ready: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.ready


def exchange(
    method: str,
    target: Target,
    addresses: Sequence[IPAddress],
    headers: Mapping[str, str],
    body: bytes | None,
    policy: FetchPolicy,
    deadline: Deadline,
) -> Answer:
    """Ask ``target`` at the first of ``addresses`` that accepts a connection; redirects are not followed.

    Raises AddressUnavailable when nobody answers properly in time, UnusableAnswer when the body is.
    """
    ready = _connect(addresses, target, policy, deadline)
    # A duplicate, because TLS takes the first descriptor over; shutting either shuts the connection.
    with _explained(target, deadline), deadline.watch(ready.dup()):
        connection = _open(target, ready, policy, max(deadline.left, 0.01))
        try:
            connection.request(method, target.path, body=body, headers=dict(headers), preload_content=False)
            response = connection.getresponse()
            lowered = {name.lower(): value for name, value in response.headers.items()}
            content = b""
            if 200 <= response.status < 300:
                _check_announced(lowered, policy)
                content = _read(response.read1, policy.max_bytes)
                if not deadline.left:  # a body without a length would look complete
                    raise TimeoutError
                if response.length_remaining:
                    raise AddressUnavailable(f"{target.host} closed the connection in the middle of its answer")
            return Answer(response.status, lowered, content)
        finally:
            connection.close()
            ready.close()


def _connect(addresses: Sequence[IPAddress], target: Target, policy: FetchPolicy, deadline: Deadline) -> socket.socket:
    refusal = "in time"
    for address in addresses:
        if not deadline.left:
            break
        try:
            return socket.create_connection((str(address), target.port), min(policy.connect_time, deadline.left))
        except OSError as error:
            refusal = f"at {address}: {error}"
    raise AddressUnavailable(f"{target.host} does not accept a connection {refusal}")


def _open(target: Target, ready: socket.socket, policy: FetchPolicy, timeout: float) -> _PinnedHTTP | _PinnedHTTPS:
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
    ready.settimeout(timeout)  # holds for the TLS handshake too
    connection.ready = ready
    return connection


def _check_announced(headers: Mapping[str, str], policy: FetchPolicy) -> None:
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > policy.max_bytes:
        raise UnusableAnswer(f"the answer is too large: {announced} bytes, at most {policy.max_bytes} are read")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise UnusableAnswer(f"the answer is compressed ({encoding}) though the plain bytes were asked for")


def _read(read_once: Callable[..., Any], limit: int) -> bytes:
    pieces = bytearray()
    while piece := read_once(PIECE_BYTES, decode_content=False):
        pieces += piece
        if len(pieces) > limit:
            raise UnusableAnswer(f"the answer is too large: more than {limit} bytes")
    return bytes(pieces)


@contextmanager
def _explained(target: Target, deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPError, HTTPException, ValueError) as error:
        if not deadline.left or isinstance(error, TimeoutError):
            raise AddressUnavailable(f"{target.host} did not answer in full in time") from error
        raise AddressUnavailable(f"{target.host} does not answer properly: {error}") from error


def _shut(watched: socket.socket) -> None:
    try:
        watched.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side was quicker
        return
