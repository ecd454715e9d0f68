"""Downloads of large published files: resumed where they stopped, checked against the known size and digest.

Only addresses in Rayon's own tables or given by its operator are downloaded; proxies and certificates of the
environment (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE) are used. Addresses that sellers give go through
``infra.safe_fetch.fetcher``.
"""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import socket
import threading
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
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError, NewConnectionError

from infra.safe_fetch.connection import HttpResponse
from infra.safe_fetch.fetcher import HostBusy, status_error
from infra.safe_fetch.partial_download import Origin, ResumableDownload
from pipeline.domain.errors import AddressUnavailable, BadArtefact, InvalidInput, PermanentFailure, Unavailable
from pipeline.domain.job import RetryPolicy
from pipeline.domain.published_file import PublishedFile

PORTS = {"http": 80, "https": 443}
CHUNK_BYTES = 1 << 16
PROGRESS_BYTES = 1 << 20  # a try that received this much resets the count of failures
USER_AGENT = "Rayon/1.0 (product categoriser; fetches the weights of networks)"
DEFAULT_RETRY = RetryPolicy(attempt_limit=5, first_delay=1.0, longest_delay=30.0)
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
DIGEST_LABELS = {"sha256": "SHA-256", "md5": "MD5"}

# Bytes received, and bytes in all (None while that is not known).
ByteProgress = Callable[[int, int | None], None]


class Unreachable(AddressUnavailable):
    """No connection to ``host`` can be made, for this reason."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host} cannot be reached ({reason}): the network is closed, or the host is down")


@dataclass(frozen=True, slots=True)
class DownloadPolicy:
    """Limits of a download; times in seconds. ``read_timeout`` is how long a host may send nothing."""

    connect_time: float = 5.0
    read_timeout: float = 30.0
    max_redirects: int = 5
    retry: RetryPolicy = DEFAULT_RETRY
    longest_retry_after: float = 60.0
    user_agent: str = USER_AGENT


@contextmanager
def downloaded_file(
    wanted: PublishedFile, folder: Path, progress: ByteProgress, policy: DownloadPolicy | None = None
) -> Iterator[Path]:
    """Download a published file; it exists during the ``with``, and is deleted when that ends well or the file is bad.

    An interrupted download in ``folder`` is resumed, unless the file has changed at its address. An error other than
    BadArtefact leaves the file there, so that it need not be downloaded twice. Raises AddressUnavailable (closed
    network, a host that fails again and again), PermanentFailure (404, a web page instead of the file), BadArtefact
    (other bytes than the known ones, deleted), Unavailable (disk full), Conflict (another process downloads it).
    """
    partial = ResumableDownload(folder, wanted.name)
    with partial.locked():
        try:
            origin = partial.origin()
            if not partial.complete_path.exists() or origin is None or origin.address != wanted.address:
                Download(wanted, partial, progress, policy or DownloadPolicy()).run()
            check_digest(wanted, partial.complete_path)
            yield partial.complete_path
        except BadArtefact:
            partial.discard()
            raise
        partial.discard()


def downloaded_bytes(wanted: PublishedFile, folder: Path) -> int:
    """How many bytes earlier downloads left in ``folder``: a part, or a complete file that could not be used yet."""
    partial = ResumableDownload(folder, wanted.name)
    return partial.complete_path.stat().st_size if partial.complete_path.exists() else partial.size


class Download:
    """Downloads one file into a partial file: retried, from where it stopped, while that makes progress."""

    def __init__(
        self, wanted: PublishedFile, partial: ResumableDownload, progress: ByteProgress, policy: DownloadPolicy
    ) -> None:
        self._wanted = wanted
        self._host = host_of(wanted)
        self._partial = partial
        self._progress = progress
        self._policy = policy
        self._connected = False
        self._session = requests.Session()
        self._session.max_redirects = policy.max_redirects

    def run(self) -> None:
        """Run until the file is complete; see ``downloaded_file`` for the errors."""
        if urlsplit(self._wanted.address).scheme not in ("http", "https"):
            raise InvalidInput("only http:// and https:// addresses are fetched")
        check_reachable(self._wanted.address, self._policy.connect_time)
        failures = 0
        with self._session:
            while True:
                before = self._partial.size
                try:
                    self._request(before)
                    break
                except AddressUnavailable as failure:
                    failures = 1 if self._partial.size - before >= PROGRESS_BYTES else failures + 1
                    # A closed network is reported at once; one that let us through before may open again.
                    closed = isinstance(failure, Unreachable) and not self._connected
                    if closed or failures >= self._policy.retry.attempt_limit:
                        raise
                    time.sleep(self._delay(failures, failure))
        self._partial.finish()

    def _delay(self, failures: int, failure: AddressUnavailable) -> float:
        retry_after = failure.retry_after if isinstance(failure, HostBusy) else None
        delay = self._policy.retry.delay(failures, random.random())
        return max(delay, min(retry_after or 0.0, self._policy.longest_retry_after))

    def _request(self, start: int) -> None:
        headers = {"Accept-Encoding": "identity", "User-Agent": self._policy.user_agent}
        origin = self._partial.origin()
        # Without a validator, only a digest can tell whether both halves are of one file.
        has_digest = self._wanted.sha256 or self._wanted.md5
        if start and origin and origin.address == self._wanted.address and (origin.validator or has_digest):
            headers["Range"] = f"bytes={start}-"
            if origin.validator:
                headers["If-Range"] = origin.validator
        with self._named_errors():
            timeout = (self._policy.connect_time, self._policy.read_timeout)
            response = self._session.get(self._wanted.address, headers=headers, stream=True, timeout=timeout)
        with response:
            self._connected = True
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                if response.headers.get("Content-Range") == f"bytes */{start}":
                    return  # the part was complete already
                self._partial.discard()
                raise AddressUnavailable(f"{self._host} does not have the rest of this file: the download starts over")
            expected = self._begin(response, start)
            self._check_room(expected)
            self._receive(response, expected)

    def _begin(self, response: Response, start: int) -> int | None:
        """Check the response, reset the partial file where it starts over, return the file's size if it is known."""
        check_response(self._wanted, response)
        try:
            total = total_size(self._wanted, response, start)
        except AddressUnavailable:
            self._partial.discard()
            raise
        if response.status_code == HTTPStatus.OK:
            self._partial.begin(Origin(self._wanted.address, validator_of(response)))
        return total or self._wanted.size

    def _check_room(self, expected: int | None) -> None:
        folder = self._partial.complete_path.parent
        missing, free = (expected or 0) - self._partial.size, shutil.disk_usage(folder).free
        if free < missing:
            raise Unavailable(
                f"the disk of {folder} is full: {missing / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free"
            )

    def _receive(self, response: Response, expected: int | None) -> None:
        size = self._partial.size
        self._progress(size, expected)
        with self._partial.opened(), self._named_errors():
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
                size += len(chunk)
                check_size(self._wanted, max(size, expected or 0))
                self._partial.append(chunk)
                self._progress(size, expected)
        if expected is not None and size < expected:
            raise AddressUnavailable(f"{self._host} ended its response before the file was complete")

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except requests.TooManyRedirects as error:
            raise PermanentFailure(f"{self._host} redirects more than {self._policy.max_redirects} times") from error
        except InvalidURL as error:
            raise InvalidInput(f"the address cannot be used: {error}") from error
        except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
            if _no_connection(error):
                raise Unreachable(self._host, connection_problem(error, self._policy.connect_time)) from error
            reason = connection_problem(error, self._policy.read_timeout)
            raise AddressUnavailable(f"{self._host} does not respond properly ({reason})") from error


def _no_connection(error: Exception) -> bool:
    """Whether no connection could be made, as opposed to a response that failed."""
    if isinstance(error, ConnectTimeout | SSLError | ProxyError):
        return True
    return bool(error.args) and isinstance(getattr(error.args[0], "reason", None), NewConnectionError)


def host_of(wanted: PublishedFile) -> str:
    """The host of the file's address: messages name nothing else of it, since addresses may hold a password."""
    return urlsplit(wanted.address).hostname or "the address"


def check_digest(wanted: PublishedFile, path: Path) -> None:
    """Raise BadArtefact unless the file has the known size and digest: the SHA-256, else the MD5, if one is known."""
    check_size(wanted, path.stat().st_size)
    name, known = ("sha256", wanted.sha256) if wanted.sha256 else ("md5", wanted.md5)
    if known is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, name).hexdigest()
    if found != known:
        raise BadArtefact(
            f"{host_of(wanted)} gives another file than the known one: its {DIGEST_LABELS[name]} is {found[:12]}…, "
            f"not {known[:12]}…; it was deleted"
        )


def check_size(wanted: PublishedFile, size: int | None) -> None:
    """Raise BadArtefact when ``size`` (bytes; None when unknown) is not the known one, or more than is accepted."""
    if size is None or size == (wanted.size or size) <= wanted.max_bytes:
        return
    expected = f"the known one has {wanted.size:,}" if wanted.size else f"at most {wanted.max_bytes:,} are accepted"
    raise BadArtefact(
        f"the file that {host_of(wanted)} gives has {size:,} bytes, {expected}: it is another file, and is not kept"
    )


def check_response(wanted: PublishedFile, response: Response) -> None:
    """Check that the response brings a file at all.

    Raises PermanentFailure for one that does not (404, a web page, a redirect from https to http), AddressUnavailable
    for one that may succeed another time (429, 5xx).
    """
    host = host_of(wanted)
    if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        headers = {name.lower(): value for name, value in response.headers.items()}
        raise status_error(HttpResponse(response.status_code, headers, b""), host)
    hops = [hop.url for hop in (*response.history, response)]
    if hops[0].startswith("https:") and not all(hop.startswith("https:") for hop in hops):
        raise PermanentFailure(f"{host} leads to an address that is not https")
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise PermanentFailure(
            f"{host} answers with a web page instead of the file: it has moved, or this network asks for a login"
        )


def total_size(wanted: PublishedFile, response: Response, start: int) -> int | None:
    """The size of the whole file (bytes), from a checked response that begins at byte ``start``; None when not given.

    Raises BadArtefact when it is not the known size, AddressUnavailable when the response begins elsewhere.
    """
    if response.status_code == HTTPStatus.OK:
        length = response.headers.get("Content-Length", "")
    else:
        found = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != start:
            raise AddressUnavailable(f"{host_of(wanted)} answers with another part than was requested")
        length = found[2]
    total = int(length) if length.isdigit() else None
    check_size(wanted, total)
    return total


def validator_of(response: Response) -> str:
    """The value for If-Range (RFC 9110, section 13.1.5): a strong ETag, else a date, else empty."""
    tag = response.headers.get("ETag", "").strip()
    if tag:
        return "" if tag.startswith("W/") else tag
    return response.headers.get("Last-Modified", "").strip()


def check_reachable(address: str, seconds: float) -> None:
    """Connect to the host of ``address``, or to the environment's proxy for it; Unreachable if that takes too long.

    In a thread, because neither the resolver nor a host with many silent addresses takes a time limit.
    """
    proxy = select_proxy(address, get_environ_proxies(address, no_proxy=None))
    parts = urlsplit(proxy or address)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    if not port:  # proxies of other kinds, such as SOCKS, are left to the library
        return
    results: list[OSError | None] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), seconds).close()
            results.append(None)
        except (OSError, UnicodeError) as error:
            results.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=connect, name="reach", daemon=True)
    thread.start()
    thread.join(seconds)
    failure = results[0] if results else TimeoutError()
    if failure is not None:
        raise Unreachable(f"the proxy {host}" if proxy else host, connection_problem(failure, seconds))


def connection_problem(error: BaseException, seconds: float) -> str:
    """The reason for a failed connection in a few plain words, from the innermost error that has one."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        error = next((e for e in (inner, error.__cause__, error.__context__) if isinstance(e, BaseException)), error)
    if any(isinstance(e, socket.gaierror) for e in seen):
        return "its name does not resolve"
    if any(isinstance(e, TimeoutError) for e in seen):
        return f"no answer within {seconds:g} s"
    innermost = next((e for e in reversed(seen) if isinstance(e, OSError) and e.strerror), seen[-1])
    reason = innermost.strerror if isinstance(innermost, OSError) else None
    return (reason or str(innermost) or type(innermost).__name__).strip().splitlines()[0].rstrip(".")
