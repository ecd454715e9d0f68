"""The HTTP client of a product database: rate-limited, cached, with retries; returns JSON or raises an error."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from cachecontrol.adapter import CacheControlAdapter
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from infra.safe_fetch.connection import HttpResponse
from infra.safe_fetch.fetcher import BACKOFF_STATUSES, REDIRECT_STATUSES, HostBusy, status_error
from infra.safe_fetch.published_file_download import connection_problem
from infra.settings import Settings
from infra.sources.http_cache import ResponseCache
from infra.sources.politeness import Politeness, Progress, WaitBudget, WaitTooLong, user_agent
from infra.store.host_rate_limits import Permit, RateLimit
from pipeline.domain.errors import AddressUnavailable, PermanentFailure
from pipeline.domain.job import RetryPolicy
from pipeline.domain.product_databases import ProductDatabase
from pipeline.domain.product_source import SourceBusy

CHUNK_BYTES = 1 << 16
MAX_BODY_BYTES = 30_000_000
CONNECT_SECONDS = 5.0
MAX_REDIRECTS = 3
MAX_ATTEMPTS = 4


class RequestKind(StrEnum):
    """The kinds of requests, for which a database has separate limits."""

    SEARCH = "search"
    READ = "read"


PUBLISHED_LIMITS = {RequestKind.SEARCH: RateLimit(10, 60.0), RequestKind.READ: RateLimit(15, 60.0)}


def rate_limit_of(kind: RequestKind, database: ProductDatabase, settings: Settings) -> RateLimit:
    """The rate limit by the settings, which never exceeds the published limit of the real database."""
    configured_requests = settings.source_searches if kind is RequestKind.SEARCH else settings.source_reads
    if database.site != database.home:
        return RateLimit(configured_requests, settings.source_minute)
    published = PUBLISHED_LIMITS[kind]
    return RateLimit(min(configured_requests, published.requests), max(settings.source_minute, published.window))


class SourceClient:
    """Sends requests to one database, one at a time. ``patience`` is the maximum total wait of a call (seconds)."""

    def __init__(
        self,
        database: ProductDatabase,
        settings: Settings,
        politeness: Politeness,
        *,
        patience: float,
        progress: Progress | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._settings = settings
        self._politeness = politeness
        self._patience = patience
        self._progress = progress
        self._sleep = sleep
        self._kind = RequestKind.SEARCH
        self._required_key = ""
        self._permit: Permit | None = None
        self._budget = WaitBudget(patience, progress, sleep)
        self._hosts = {urlsplit(database.site).netloc, urlsplit(database.home).netloc, *database.image_hosts}
        cache = ResponseCache(settings.home / "cache" / "sources", settings.source_cache_bytes)
        adapter = CachedAdapter(cache)
        adapter.send_permitted = self._send_permitted
        adapter.on_response = self._on_response
        self._session = requests.Session()
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers.update({"User-Agent": user_agent(settings.contact), "Accept": "application/json"})

    def json(self, kind: RequestKind, path: str, parameters: Mapping[str, str], required_key: str = "") -> Any:
        """GET ``path`` and return its JSON; None for 404. Temporary failures are retried within ``patience``.

        A response that is not an object with the ``required_key`` is an error, since databases also report errors with
        status 200. Raises SourceBusy (a rate limit of the database or ours, or the host is paused), AddressUnavailable
        (no response, or not JSON), PermanentFailure (the request is refused).
        """
        self._kind, self._required_key = kind, required_key
        self._budget = WaitBudget(self._patience, self._progress, self._sleep)
        address = f"{self._database.site}{path}?{urlencode(parameters)}"
        retry = self._retry_policy()
        for attempt in range(1, retry.attempt_limit):
            try:
                return self._get_json(address)
            except WaitTooLong:
                raise
            except SourceBusy as busy:
                self._budget.wait(busy.retry_after, str(busy))
            except AddressUnavailable as failure:
                delay = retry.delay(attempt, random.random())
                if delay > self._budget.remaining_seconds:
                    raise
                self._budget.wait(delay, str(failure))
        return self._get_json(address)

    def _rate_limit(self) -> RateLimit:
        return rate_limit_of(self._kind, self._database, self._settings)

    def _retry_policy(self) -> RetryPolicy:
        minute = self._rate_limit().window
        return RetryPolicy(MAX_ATTEMPTS, first_delay=minute / 60, longest_delay=minute)

    def _get_json(self, address: str) -> Any:
        """Make one attempt; redirects within the database's hosts are followed, each with its own permit."""
        for _ in range(MAX_REDIRECTS + 1):
            self._permit = None
            failure: AddressUnavailable | SourceBusy | None = None
            try:
                with self._translated_errors(), self._get(address) as response:
                    if response.status_code not in REDIRECT_STATUSES or "Location" not in response.headers:
                        return self._read(response)
                    address = self._checked_redirect(urljoin(address, response.headers["Location"]))
            except (AddressUnavailable, SourceBusy) as error:
                failure = error
                raise
            finally:
                if self._permit is not None:  # None when the response came from the cache
                    self._politeness.record(self._permit, failure)
        raise PermanentFailure(f"{self._database.title} redirects more than {MAX_REDIRECTS} times")

    def _get(self, address: str) -> Response:
        timeout = (CONNECT_SECONDS, self._settings.source_seconds)
        return self._session.get(address, timeout=timeout, stream=True, allow_redirects=False)

    def _send_permitted(self, request: PreparedRequest, send: Callable[[], Response]) -> Response:
        host = urlsplit(request.url or "").netloc
        max_response_delay = CONNECT_SECONDS + self._settings.source_seconds
        self._permit = self._politeness.acquire(host, self._kind, self._rate_limit(), max_response_delay, self._budget)
        return send()

    def _on_response(self, response: HTTPResponse) -> HTTPResponse:
        if self._permit is not None:
            self._politeness.response_begun(self._permit)
        try:
            return read_body(response, self._settings.source_seconds, MAX_BODY_BYTES)
        except OverflowError as error:
            raise self._too_large() from error

    def _checked_redirect(self, address: str) -> str:
        if urlsplit(address).netloc not in self._hosts or urlsplit(address).scheme not in {"http", "https"}:
            raise PermanentFailure(f"{self._database.title} leads to another host, which is not followed")
        return address

    def _read(self, response: Response) -> Any:
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        if response.status_code != HTTPStatus.OK:
            headers = {name.lower(): value for name, value in response.headers.items()}
            error = status_error(HttpResponse(response.status_code, headers, b""), self._database.title)
            if isinstance(error, HostBusy) and response.status_code in BACKOFF_STATUSES:
                pause = self._rate_limit().window if error.retry_after is None else error.retry_after
                raise SourceBusy(str(error), pause)
            raise error
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):  # without a chunk size, reading a cached response never ends
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise self._too_large()
        content = parse_json(bytes(body), self._database.title)
        if self._required_key and not (isinstance(content, Mapping) and self._required_key in content):
            raise AddressUnavailable(f"{self._database.title} answers without {self._required_key}")
        return content

    def _too_large(self) -> AddressUnavailable:
        return AddressUnavailable(f"{self._database.title} answers with more than {MAX_BODY_BYTES:,} bytes")

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (requests.RequestException, HTTPError, OSError) as error:
            reason = connection_problem(error, self._settings.source_seconds)
            raise AddressUnavailable(f"{self._database.title} does not respond properly ({reason})") from error


def parse_json(body: bytes, host: str) -> Any:
    """Parse the JSON of a body; AddressUnavailable says what the body is instead: a web page, truncated, or empty."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = body[:300].lstrip(b"\xef\xbb\xbf \t\r\n")
        content = "a web page" if start.startswith(b"<") else "JSON that is cut off or damaged" if start else "nothing"
        raise AddressUnavailable(f"{host} answers with {content} instead of products") from error


SendRequest = Callable[[], Response]


class _PermittedAdapter(HTTPAdapter):
    """Waits for a permit before each request that it sends; responses from the cache, above it, need none."""

    send_permitted: Callable[[PreparedRequest, SendRequest], Response]

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        send = super().send
        return self.send_permitted(request, lambda: send(request, *args, **kwargs))


class CachedAdapter(CacheControlAdapter, _PermittedAdapter):
    """A cache on top of an adapter that waits for permits; ``on_response`` reads each response before it is cached.

    ``send_permitted`` is called with a request and the function that sends it.
    """

    on_response: Callable[[HTTPResponse], HTTPResponse]

    def build_response(  # type: ignore[override]  # the signature of CacheControlAdapter's method
        self,
        request: PreparedRequest,
        response: HTTPResponse,
        from_cache: bool = False,  # noqa: FBT001, FBT002 - as in CacheControlAdapter
        cacheable_methods: Collection[str] | None = None,
    ) -> Response:
        """Build a requests response from a urllib3 response, whose body is read first unless it was cached."""
        if not from_cache:
            response = self.on_response(response)
        return super().build_response(request, response, from_cache, cacheable_methods)


class _Body(io.BytesIO):
    """Bytes whose end CacheControl can detect as for a connection (by ``fp``); otherwise it would store nothing."""

    @property
    def fp(self) -> io.BytesIO | None:
        """None once everything has been read."""
        return None if self.closed or self.tell() == self.getbuffer().nbytes else self


def read_body(response: HTTPResponse, timeout: float, max_bytes: int) -> HTTPResponse:
    """The response with its body, still encoded, read into memory.

    A socket timeout does not detect a body that arrives slowly, so the total time is limited here. Raises TimeoutError
    after ``timeout`` seconds, OverflowError above ``max_bytes``, and what the connection raises.
    """
    deadline = time.monotonic() + timeout
    body = bytearray()
    try:
        while chunk := response.read1(CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > max_bytes:
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
