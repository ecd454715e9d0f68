"""Downloading a large published file: continued where it stopped, and held to the size and digest it is known by.

Only addresses of the house's own tables, or given by those who run it, are downloaded; proxies and certificates of the
environment (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE) are used. What a seller names goes through
``infra.safe_fetch.fetcher``.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests import Response
from requests.exceptions import ConnectTimeout, InvalidURL, ProxyError, SSLError
from urllib3.exceptions import HTTPError, NewConnectionError

from infra.safe_fetch.expected_file import check_answer, check_digest, check_size, host_of, total_of, validator_of
from infra.safe_fetch.fetcher import AddressBusy
from infra.safe_fetch.partial_file import Origin, PartialFile
from infra.safe_fetch.reachability import Unreachable, check_reachable, why
from pipeline.domain.errors import AddressUnavailable, BadArtefact, InvalidInput, PermanentFailure, Unavailable
from pipeline.domain.job import RetryPolicy
from pipeline.domain.published_file import PublishedFile

PIECE_BYTES = 1 << 16
ENOUGH_BYTES = 1 << 20  # a try that brought this much was worth it: the count of tries begins anew
USER_AGENT = "Rayon/1.0 (product categoriser; fetches the weights of networks)"
PATIENT = RetryPolicy(attempt_limit=5, first_delay=1.0, longest_delay=30.0)

# Bytes that have come, and bytes there are in all (None as long as that is not known).
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class DownloadPolicy:
    """Limits of a download; times in seconds. ``silence`` is how long a host may send nothing."""

    connect_time: float = 5.0
    silence: float = 30.0
    redirects: int = 5
    retry: RetryPolicy = PATIENT
    longest_asked_delay: float = 60.0
    user_agent: str = USER_AGENT


@contextmanager
def downloaded(
    wanted: PublishedFile, folder: Path, progress: Progress, policy: DownloadPolicy | None = None
) -> Iterator[Path]:
    """The published file, whole, as long as the ``with`` lasts; it is removed when that ends well, or finds it bad.

    What an interrupted download left in ``folder`` is continued, unless the file has changed at its address. An error
    other than BadArtefact leaves the file there, so that it need not come twice. Raises AddressUnavailable (closed
    network, host that fails again and again), PermanentFailure (404, a web page instead of the file), BadArtefact (not
    the bytes that are known: thrown away), Unavailable (disk full), Conflict (another process is at it).
    """
    partial = PartialFile(folder, wanted.name)
    with partial.held():
        try:
            origin = partial.origin()
            if not partial.whole.exists() or origin is None or origin.address != wanted.address:
                Download(wanted, partial, progress, policy or DownloadPolicy()).run()
            check_digest(wanted, partial.whole)
            yield partial.whole
        except BadArtefact:
            partial.discard()
            raise
        partial.discard()


def kept_bytes(wanted: PublishedFile, folder: Path) -> int:
    """How much of a file an interrupted download has left, or all of it where it only could not be used yet."""
    partial = PartialFile(folder, wanted.name)
    return partial.whole.stat().st_size if partial.whole.exists() else partial.size


class Download:
    """One file on its way to a partial file: asked for again, from where it stopped, while that is worth it."""

    def __init__(self, wanted: PublishedFile, partial: PartialFile, progress: Progress, policy: DownloadPolicy) -> None:
        self._wanted = wanted
        self._host = host_of(wanted)
        self._partial = partial
        self._progress = progress
        self._policy = policy
        self._answered = False
        self._session = requests.Session()
        self._session.max_redirects = policy.redirects

    def run(self) -> None:
        """Until the file is complete; see ``downloaded`` for the errors."""
        if urlsplit(self._wanted.address).scheme not in ("http", "https"):
            raise InvalidInput("only http:// and https:// addresses are fetched")
        check_reachable(self._wanted.address, self._policy.connect_time)
        failures = 0
        with self._session:
            while True:
                before = self._partial.size
                try:
                    self._ask(before)
                    break
                except AddressUnavailable as failure:
                    failures = 1 if self._partial.size - before >= ENOUGH_BYTES else failures + 1
                    # A closed network is told at once; one that has let us through before may open again.
                    closed = isinstance(failure, Unreachable) and not self._answered
                    if closed or failures >= self._policy.retry.attempt_limit:
                        raise
                    time.sleep(self._pause(failures, failure))
        self._partial.finish()

    def _pause(self, failures: int, failure: AddressUnavailable) -> float:
        asked = failure.retry_after if isinstance(failure, AddressBusy) else None
        delay = self._policy.retry.delay(failures, random.random())
        return max(delay, min(asked or 0.0, self._policy.longest_asked_delay))

    def _ask(self, start: int) -> None:
        headers = {"Accept-Encoding": "identity", "User-Agent": self._policy.user_agent}
        origin = self._partial.origin()
        # Without a validator, only a digest could tell whether both halves are of one file.
        pinned = self._wanted.sha256 or self._wanted.md5
        if start and origin and origin.address == self._wanted.address and (origin.validator or pinned):
            headers["Range"] = f"bytes={start}-"
            if origin.validator:
                headers["If-Range"] = origin.validator
        with self._explained():
            timeout = (self._policy.connect_time, self._policy.silence)
            response = self._session.get(self._wanted.address, headers=headers, stream=True, timeout=timeout)
        with response:
            self._answered = True
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                if response.headers.get("Content-Range") == f"bytes */{start}":
                    return  # all of it was here already
                self._partial.discard()
                raise AddressUnavailable(f"{self._host} does not have the rest of what is here: it begins anew")
            expected = self._begin(response, start)
            self._check_room(expected)
            self._receive(response, expected)

    def _begin(self, response: Response, start: int) -> int | None:
        """Judge the answer, make the partial file fit it, and return how many bytes there are in all."""
        check_answer(self._wanted, response)
        try:
            total = total_of(self._wanted, response, start)
        except AddressUnavailable:
            self._partial.discard()
            raise
        if response.status_code == HTTPStatus.OK:
            self._partial.begin(Origin(self._wanted.address, validator_of(response)))
        return total or self._wanted.size

    def _check_room(self, expected: int | None) -> None:
        folder = self._partial.whole.parent
        missing, free = (expected or 0) - self._partial.size, shutil.disk_usage(folder).free
        if free < missing:
            raise Unavailable(
                f"the disk of {folder} is full: {missing / 1e6:.0f} MB are to come, {free / 1e6:.0f} MB are free"
            )

    def _receive(self, response: Response, expected: int | None) -> None:
        size = self._partial.size
        self._progress(size, expected)
        with self._partial.growing(), self._explained():
            while piece := response.raw.read1(PIECE_BYTES, decode_content=False):
                size += len(piece)
                check_size(self._wanted, max(size, expected or 0))
                self._partial.append(piece)
                self._progress(size, expected)
        if expected is not None and size < expected:
            raise AddressUnavailable(f"{self._host} ended its answer before the file was complete")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except requests.TooManyRedirects as error:
            raise PermanentFailure(f"{self._host} redirects more than {self._policy.redirects} times") from error
        except InvalidURL as error:
            raise InvalidInput(f"the address cannot be used: {error}") from error
        except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
            if _no_connection(error):
                raise Unreachable(self._host, why(error, self._policy.connect_time)) from error
            reason = why(error, self._policy.silence)
            raise AddressUnavailable(f"{self._host} does not answer properly ({reason})") from error


def _no_connection(error: Exception) -> bool:
    """Whether it is the connection that could not be made, rather than an answer that failed."""
    if isinstance(error, ConnectTimeout | SSLError | ProxyError):
        return True
    return bool(error.args) and isinstance(getattr(error.args[0], "reason", None), NewConnectionError)
