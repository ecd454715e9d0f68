"""Asking a product database over HTTP: JSON in, or an error that says what came instead."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests import PreparedRequest, Response
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from infra.safe_fetch.connection import Answer
from infra.safe_fetch.fetcher import ASKS_TO_WAIT, REDIRECTS, AddressBusy, refusal
from infra.safe_fetch.reachability import why
from infra.settings import Settings
from infra.sources.databases import Database
from infra.sources.http_cache import AnswerCache
from infra.sources.politeness import Patience, Politeness, TooLong, user_agent
from infra.sources.transport import PIECE_BYTES, Adapter, whole
from infra.store.rate_limits.repository import Pace, Turn
from pipeline.domain.errors import AddressUnavailable, PermanentFailure
from pipeline.domain.job import RetryPolicy
from pipeline.domain.product_source import SourceBusy

BODY_BYTES = 30_000_000
CONNECT_SECONDS = 5.0
MOST_REDIRECTS = 3
PUBLISHED = {"search": Pace(10, 60.0), "read": Pace(15, 60.0)}
MOST_TRIES = 4


class RequestKind(StrEnum):
    """What the limits of a database tell apart."""

    SEARCH = "search"
    READ = "read"


def pace_of(kind: RequestKind, database: Database, settings: Settings) -> Pace:
    """How fast this database is asked: by the settings, but at home never faster than it allows."""
    most = settings.source_searches if kind is RequestKind.SEARCH else settings.source_reads
    if database.site != database.home:
        return Pace(most, settings.source_minute)
    allowed = PUBLISHED[kind]
    return Pace(min(most, allowed.most), max(settings.source_minute, allowed.window))


class SourceClient:
    """Requests to one database, one after the other. ``patience`` is in seconds, for each call of ``json``."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        courtesy: Politeness,
        *,
        patience: float,
        tell: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._settings = settings
        self._courtesy = courtesy
        self._patience = patience
        self._tell = tell
        self._sleep = sleep
        self._kind = RequestKind.SEARCH
        self._key = ""
        self._turn: Turn | None = None
        self._waits = Patience(patience, tell, sleep)
        self._hosts = {urlsplit(database.site).netloc, urlsplit(database.home).netloc, *database.image_hosts}
        cache = AnswerCache(settings.home / "cache" / "sources", settings.source_cache_bytes)
        adapter = Adapter(cache)
        adapter.turn = self._in_turn
        adapter.received = self._received
        self._session = requests.Session()
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers.update({"User-Agent": user_agent(settings.contact), "Accept": "application/json"})

    def json(self, kind: RequestKind, path: str, parameters: Mapping[str, str], key: str = "") -> Any:
        """The answer to a GET, read as JSON; None for 404. Tried again while that may help and patience lasts.

        With a ``key``, an answer that is no object or has no such key is none: errors come with status 200, too.
        Raises SourceBusy (its limits, ours, or it is left alone), AddressUnavailable (no answer, or none that is JSON),
        PermanentFailure (it refuses).
        """
        self._kind, self._key = kind, key
        self._waits = Patience(self._patience, self._tell, self._sleep)
        address = f"{self._database.site}{path}?{urlencode(parameters)}"
        retry = self._retry()
        for attempt in range(1, retry.attempt_limit):
            try:
                return self._ask(address)
            except TooLong:
                raise
            except SourceBusy as busy:
                self._waits.wait(busy.retry_after, str(busy))
            except AddressUnavailable as failure:
                delay = retry.delay(attempt, random.random())
                if delay > self._waits.left:
                    raise
                self._waits.wait(delay, str(failure))
        return self._ask(address)

    def _retry(self) -> RetryPolicy:
        minute = pace_of(self._kind, self._database, self._settings).window
        return RetryPolicy(MOST_TRIES, first_delay=minute / 60, longest_delay=minute)

    def _ask(self, address: str) -> Any:
        """Once, redirects followed within the database's hosts; each is a request of its own, with a turn."""
        for _ in range(MOST_REDIRECTS + 1):
            self._turn = None
            failure: AddressUnavailable | SourceBusy | None = None
            try:
                with self._explained(), self._get(address) as response:
                    if response.status_code not in REDIRECTS or "Location" not in response.headers:
                        return self._read(response)
                    address = self._followed(urljoin(address, response.headers["Location"]))
            except (AddressUnavailable, SourceBusy) as error:
                failure = error
                raise
            finally:
                if self._turn is not None:  # else it came from the cache
                    self._courtesy.ended(self._turn, failure)
        raise PermanentFailure(f"{self._database.title} redirects more than {MOST_REDIRECTS} times")

    def _get(self, address: str) -> Response:
        timeout = (CONNECT_SECONDS, self._settings.source_seconds)
        return self._session.get(address, timeout=timeout, stream=True, allow_redirects=False)

    def _in_turn(self, request: PreparedRequest, send: Callable[[], Response]) -> Response:
        host = urlsplit(request.url or "").netloc
        pace = pace_of(self._kind, self._database, self._settings)
        longest = CONNECT_SECONDS + self._settings.source_seconds
        self._turn = self._courtesy.take(host, self._kind, pace, longest, self._waits)
        return send()

    def _received(self, response: HTTPResponse) -> HTTPResponse:
        if self._turn is not None:
            self._courtesy.arrived(self._turn)
        try:
            return whole(response, self._settings.source_seconds, BODY_BYTES)
        except OverflowError as error:
            raise self._too_much() from error

    def _followed(self, address: str) -> str:
        if urlsplit(address).netloc not in self._hosts or urlsplit(address).scheme not in {"http", "https"}:
            raise PermanentFailure(f"{self._database.title} leads to another host, which is not followed")
        return address

    def _read(self, response: Response) -> Any:
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        if response.status_code != HTTPStatus.OK:
            headers = {name.lower(): value for name, value in response.headers.items()}
            error = refusal(Answer(response.status_code, headers, b""), self._database.title)
            if isinstance(error, AddressBusy) and response.status_code in ASKS_TO_WAIT:
                minute = pace_of(self._kind, self._database, self._settings).window
                raise SourceBusy(str(error), minute if error.retry_after is None else error.retry_after)
            raise error
        body = bytearray()
        for piece in response.iter_content(PIECE_BYTES):  # without a size, what comes from the cache never ends
            body += piece
            if len(body) > BODY_BYTES:
                raise self._too_much()
        answer = read_json(bytes(body), self._database.title)
        if self._key and not (isinstance(answer, Mapping) and self._key in answer):
            raise AddressUnavailable(f"{self._database.title} answers without {self._key}")
        return answer

    def _too_much(self) -> AddressUnavailable:
        return AddressUnavailable(f"{self._database.title} answers with more than {BODY_BYTES:,} bytes")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (requests.RequestException, HTTPError, OSError) as error:
            reason = why(error, self._settings.source_seconds)
            raise AddressUnavailable(f"{self._database.title} does not answer properly ({reason})") from error


def read_json(body: bytes, who: str) -> Any:
    """The JSON of a body; AddressUnavailable says what it is instead: a web page, nothing, or cut off."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = body[:300].lstrip(b"\xef\xbb\xbf \t\r\n")
        what = "a web page" if start.startswith(b"<") else "JSON that is cut off or damaged" if start else "nothing"
        raise AddressUnavailable(f"{who} answers with {what} instead of products") from error
