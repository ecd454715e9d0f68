"""Asking a product database over HTTP: JSON in, or an error that says what came instead."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import requests

from infra.fetch import AddressBusy, refusal
from infra.fetching.connection import Answer
from infra.settings import Settings
from infra.sources.databases import Database
from pipeline.domain.errors import AddressUnavailable
from pipeline.domain.source import SourceBusy

BODY_BYTES = 30_000_000
PIECE_BYTES = 1 << 16


class RequestKind(StrEnum):
    """What the limits of a host tell apart."""

    SEARCH = "search"
    READ = "read"


class Asking:
    """Requests to one database, one after the other."""

    def __init__(
        self, database: Database, settings: Settings, *, patience: float, tell: Callable[[str], None] | None = None
    ) -> None:
        self._database = database
        self._patience = patience
        self._tell = tell
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "Rayon/1.0 (product categoriser)"

    def json(self, kind: RequestKind, path: str, parameters: Mapping[str, str]) -> Any:
        """The answer to a GET, read as JSON; None for 404.

        Raises SourceBusy (429, 503), AddressUnavailable (no answer, or none that is JSON), PermanentFailure.
        """
        address = f"{self._database.site}{path}?{urlencode(parameters)}"
        try:
            with self._session.get(address, timeout=(5.0, 30.0), stream=True) as response:
                if response.status_code == 404:
                    return None
                if response.status_code != 200:
                    headers = {name.lower(): value for name, value in response.headers.items()}
                    error = refusal(Answer(response.status_code, headers, b""), self._database.title)
                    if isinstance(error, AddressBusy):
                        raise SourceBusy(str(error), error.retry_after or 60.0)
                    raise error
                body = response.content
        except requests.RequestException as error:
            raise AddressUnavailable(f"{self._database.title} does not answer properly: {error}") from error
        return read_json(body, self._database.title)


def read_json(body: bytes, who: str) -> Any:
    """The JSON of a body; AddressUnavailable says what it is instead: a web page, or cut off."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = body[:300].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        what = "a web page" if start.startswith(b"<") else "nothing" if not start else "JSON that is cut off or damaged"
        raise AddressUnavailable(f"{who} answers with {what} instead of products") from error
