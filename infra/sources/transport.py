"""How requests are sent to a product database: from the cache, or else in turn and read within a limited time."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Collection
from typing import Any

from cachecontrol.adapter import CacheControlAdapter
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

PIECE_BYTES = 1 << 16

Send = Callable[[], Response]


class _InTurn(HTTPAdapter):
    """Whatever is sent through it waits for its turn; what comes from the cache, above it, does not."""

    turn: Callable[[PreparedRequest, Send], Response]

    def send(self, request: PreparedRequest, *given: Any, **named: Any) -> Response:
        send = super().send
        return self.turn(request, lambda: send(request, *given, **named))


class Adapter(CacheControlAdapter, _InTurn):
    """The cache above, the turns below; between them ``received`` sees each answer that has begun, and reads it.

    ``turn`` is given a request and what sends it.
    """

    received: Callable[[HTTPResponse], HTTPResponse]

    def build_response(  # type: ignore[override]  # as the cache's own
        self,
        request: PreparedRequest,
        response: HTTPResponse,
        from_cache: bool = False,
        cacheable_methods: Collection[str] | None = None,
    ) -> Response:
        """What the cache makes of an answer."""
        if not from_cache:
            response = self.received(response)
        return super().build_response(request, response, from_cache, cacheable_methods)


class _Body(io.BytesIO):
    """Bytes that tell their end as a connection does; else the cache would not see it, and keep nothing."""

    @property
    def fp(self) -> io.BytesIO | None:
        """None once everything has been read."""
        return None if self.closed or self.tell() == self.getbuffer().nbytes else self


def whole(response: HTTPResponse, seconds: float, most: int) -> HTTPResponse:
    """The answer with its body in memory, as it was sent.

    A body that drips is no silence to a socket, so the time of the whole is limited here. Raises TimeoutError after
    ``seconds``, OverflowError when there are more than ``most`` bytes, and what the connection raises.
    """
    deadline = time.monotonic() + seconds
    body = bytearray()
    try:
        while piece := response.read1(PIECE_BYTES, decode_content=False):
            body += piece
            if len(body) > most:
                raise OverflowError
            if time.monotonic() > deadline:
                raise TimeoutError
    except BaseException:
        response.close()
        raise
    response.release_conn()
    headers = response.headers.copy()
    headers.pop("Transfer-Encoding", None)
    return HTTPResponse(
        _Body(bytes(body)),
        headers=headers,
        status=response.status,
        version=response.version,
        reason=response.reason,
        preload_content=False,
    )
