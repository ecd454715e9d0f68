"""Downloads large published files: resumed where they stopped, checked against the known size and digest.

Only for addresses that Rayon's own tables or its operator name: proxies and certificates of the environment
(HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE) are used. Addresses that sellers give go through
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
PROGRESS_BYTES = 1 << 20  # an attempt that received this much resets the count of failures
USER_AGENT = "Rayon/1.0 (product categoriser; fetches the weights of networks)"
DEFAULT_RETRY = RetryPolicy(attempt_limit=5, first_delay=1.0, longest_delay=30.0)
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
DIGEST_LABELS = {"sha256": "SHA-256", "md5": "MD5"}

# Called with the bytes received so far and the total bytes (None while unknown).
ByteProgress = Callable[[int, int | None], None]


class Unreachable(AddressUnavailable):
    """``host`` cannot be connected to, for this ``reason``."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host} cannot be reached ({reason}): the network is closed, or the host is down")


@dataclass(frozen=True, slots=True)
class DownloadPolicy:
    """Limits of a download; times in seconds. ``read_timeout`` is the maximum pause between bytes."""

    connect_timeout: float = 5.0
    read_timeout: float = 30.0
    max_redirects: int = 5
    retry: RetryPolicy = DEFAULT_RETRY
    max_retry_after: float = 60.0
    user_agent: str = USER_AGENT


@contextmanager
def downloaded_file(
    published_file: PublishedFile, folder: Path, progress: ByteProgress, policy: DownloadPolicy | None = None
) -> Iterator[Path]:
    """Download a published file and yield its path; it is deleted when the ``with`` ends without an error.

    An interrupted download in ``folder`` is resumed, unless the file has changed at its address. After BadArtefact the
    file is deleted too; after any other error it is kept, so that it need not be downloaded again. Raises
    AddressUnavailable (closed network, repeated failures of the host), PermanentFailure (404, a web page instead of
    the file), BadArtefact (size or digest differ from the known ones), Unavailable (disk full), Conflict (another
    process is downloading it).
    """
    partial = ResumableDownload(folder, published_file.name)
    with partial.locked():
        try:
            origin = partial.origin()
            if not partial.complete_path.exists() or origin is None or origin.address != published_file.address:
                Download(published_file, partial, progress, policy or DownloadPolicy()).run()
            check_digest(published_file, partial.complete_path)
            yield partial.complete_path
        except BadArtefact:
            partial.discard()
            raise
        partial.discard()


def downloaded_bytes(published_file: PublishedFile, folder: Path) -> int:
    """The number of bytes in ``folder`` from earlier downloads: of a part, or of a complete file not used yet."""
    partial = ResumableDownload(folder, published_file.name)
    return partial.complete_path.stat().st_size if partial.complete_path.exists() else partial.size


class Download:
    """Downloads one file into a partial file, resuming after failures until too many come without progress."""

    def __init__(
        self, published_file: PublishedFile, partial: ResumableDownload, progress: ByteProgress, policy: DownloadPolicy
    ) -> None:
        self._file = published_file
        self._host = host_of(published_file)
        self._partial = partial
        self._progress = progress
        self._policy = policy
        self._connected = False
        self._session = requests.Session()
        self._session.max_redirects = policy.max_redirects

    def run(self) -> None:
        """Run until the file is complete; see ``downloaded_file`` for the errors."""
        if urlsplit(self._file.address).scheme not in ("http", "https"):
            raise InvalidInput("only http:// and https:// addresses are fetched")
        check_reachable(self._file.address, self._policy.connect_timeout)
        failures = 0
        with self._session:
            while True:
                start = self._partial.size
                try:
                    self._request(start)
                    break
                except AddressUnavailable as failure:
                    failures = 1 if self._partial.size - start >= PROGRESS_BYTES else failures + 1
                    # A closed network is reported at once, unless an earlier attempt of this run got through.
                    network_closed = isinstance(failure, Unreachable) and not self._connected
                    if network_closed or failures >= self._policy.retry.attempt_limit:
                        raise
                    time.sleep(self._delay(failures, failure))
        self._partial.finish()

    def _delay(self, failures: int, failure: AddressUnavailable) -> float:
        retry_after = failure.retry_after if isinstance(failure, HostBusy) else None
        delay = self._policy.retry.delay(failures, random.random())
        return max(delay, min(retry_after or 0.0, self._policy.max_retry_after))

    def _request(self, start: int) -> None:
        headers = {"Accept-Encoding": "identity", "User-Agent": self._policy.user_agent}
        origin = self._partial.origin()
        # Without a validator, only a digest can show whether both parts belong to the same file.
        has_digest = self._file.sha256 or self._file.md5
        if start and origin and origin.address == self._file.address and (origin.validator or has_digest):
            headers["Range"] = f"bytes={start}-"
            if origin.validator:
                headers["If-Range"] = origin.validator
        with self._translated_errors():
            timeout = (self._policy.connect_timeout, self._policy.read_timeout)
            response = self._session.get(self._file.address, headers=headers, stream=True, timeout=timeout)
        with response:
            self._connected = True
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                if response.headers.get("Content-Range") == f"bytes */{start}":
                    return  # the part is already complete
                self._partial.discard()
                raise AddressUnavailable(f"{self._host} does not have the rest of this file: the download starts over")
            total_bytes = self._start_body(response, start)
            self._check_disk_space(total_bytes)
            self._receive(response, total_bytes)

    def _start_body(self, response: Response, start: int) -> int | None:
        """Check the response, reset the partial file if it starts over, and return the file's size if known."""
        check_response(self._file, response)
        try:
            total = total_size(self._file, response, start)
        except AddressUnavailable:
            self._partial.discard()
            raise
        if response.status_code == HTTPStatus.OK:
            self._partial.begin(Origin(self._file.address, validator_of(response)))
        return total or self._file.size

    def _check_disk_space(self, total_bytes: int | None) -> None:
        folder = self._partial.complete_path.parent
        missing_bytes, free_bytes = (total_bytes or 0) - self._partial.size, shutil.disk_usage(folder).free
        if free_bytes < missing_bytes:
            raise Unavailable(
                f"the disk of {folder} is full: {missing_bytes / 1e6:.0f} MB are needed, "
                f"{free_bytes / 1e6:.0f} MB are free"
            )

    def _receive(self, response: Response, total_bytes: int | None) -> None:
        size = self._partial.size
        self._progress(size, total_bytes)
        with self._partial.opened(), self._translated_errors():
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
                size += len(chunk)
                check_size(self._file, max(size, total_bytes or 0))
                self._partial.append(chunk)
                self._progress(size, total_bytes)
        if total_bytes is not None and size < total_bytes:
            raise AddressUnavailable(f"{self._host} ended its response before the file was complete")

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except requests.TooManyRedirects as error:
            raise PermanentFailure(f"{self._host} redirects more than {self._policy.max_redirects} times") from error
        except InvalidURL as error:
            raise InvalidInput(f"the address cannot be used: {error}") from error
        except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
            if _connection_failed(error):
                raise Unreachable(self._host, connection_problem(error, self._policy.connect_timeout)) from error
            reason = connection_problem(error, self._policy.read_timeout)
            raise AddressUnavailable(f"{self._host} does not respond properly ({reason})") from error


def _connection_failed(error: Exception) -> bool:
    """Whether the connection could not be made; otherwise the response failed."""
    if isinstance(error, ConnectTimeout | SSLError | ProxyError):
        return True
    return bool(error.args) and isinstance(getattr(error.args[0], "reason", None), NewConnectionError)


def host_of(published_file: PublishedFile) -> str:
    """The host of the file's address. Messages show only this part, since addresses may contain a password."""
    return urlsplit(published_file.address).hostname or "the address"


def check_digest(published_file: PublishedFile, path: Path) -> None:
    """Raise BadArtefact unless the file has the known size and digest (the SHA-256 if known, else the MD5)."""
    check_size(published_file, path.stat().st_size)
    algorithm, expected_digest = (
        ("sha256", published_file.sha256) if published_file.sha256 else ("md5", published_file.md5)
    )
    if expected_digest is None:
        return
    with path.open("rb") as file:
        actual_digest = hashlib.file_digest(file, algorithm).hexdigest()
    if actual_digest != expected_digest:
        raise BadArtefact(
            f"{host_of(published_file)} gives another file than the known one: its {DIGEST_LABELS[algorithm]} is "
            f"{actual_digest[:12]}…, not {expected_digest[:12]}…; it was deleted"
        )


def check_size(published_file: PublishedFile, size: int | None) -> None:
    """Raise BadArtefact when ``size`` (bytes; None when unknown) differs from the known size or exceeds the maximum."""
    if size is None or size == (published_file.size or size) <= published_file.max_bytes:
        return
    expectation = (
        f"the known one has {published_file.size:,}"
        if published_file.size
        else f"at most {published_file.max_bytes:,} are accepted"
    )
    raise BadArtefact(
        f"the file that {host_of(published_file)} gives has {size:,} bytes, {expectation}: it is another file, "
        "and is not kept"
    )


def check_response(published_file: PublishedFile, response: Response) -> None:
    """Check that the response contains a file.

    Raises PermanentFailure when it does not (404, a web page, a redirect from https to http), AddressUnavailable for a
    temporary failure (429, 5xx).
    """
    host = host_of(published_file)
    if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        headers = {name.lower(): value for name, value in response.headers.items()}
        raise status_error(HttpResponse(response.status_code, headers, b""), host)
    urls = [hop.url for hop in (*response.history, response)]
    if urls[0].startswith("https:") and not all(url.startswith("https:") for url in urls):
        raise PermanentFailure(f"{host} leads to an address that is not https")
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise PermanentFailure(
            f"{host} answers with a web page instead of the file: it has moved, or this network asks for a login"
        )


def total_size(published_file: PublishedFile, response: Response, start: int) -> int | None:
    """The size of the whole file (bytes) by a checked response to a request from byte ``start``; None if not stated.

    Raises BadArtefact when it differs from the known size, AddressUnavailable when the response starts at another byte.
    """
    if response.status_code == HTTPStatus.OK:
        length = response.headers.get("Content-Length", "")
    else:
        content_range = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if content_range is None or int(content_range[1]) != start:
            raise AddressUnavailable(f"{host_of(published_file)} answers with another part than was requested")
        length = content_range[2]
    total = int(length) if length.isdigit() else None
    check_size(published_file, total)
    return total


def validator_of(response: Response) -> str:
    """The value for If-Range (RFC 9110, section 13.1.5): a strong ETag; without any ETag the date; else empty."""
    etag = response.headers.get("ETag", "").strip()
    if etag:
        return "" if etag.startswith("W/") else etag
    return response.headers.get("Last-Modified", "").strip()


def check_reachable(address: str, timeout: float) -> None:
    """Raise Unreachable unless the host of ``address``, or its proxy, accepts a connection within ``timeout`` seconds.

    Done in a thread, because the resolver has no timeout, and a host may have many addresses that do not respond.
    """
    proxy = select_proxy(address, get_environ_proxies(address, no_proxy=None))
    parts = urlsplit(proxy or address)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    if not port:  # another kind of proxy, such as SOCKS, which only the library can check
        return
    results: list[OSError | None] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout).close()
            results.append(None)
        except (OSError, UnicodeError) as error:
            results.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=connect, name="check-reachable", daemon=True)
    thread.start()
    thread.join(timeout)
    failure = results[0] if results else TimeoutError()
    if failure is not None:
        raise Unreachable(f"the proxy {host}" if proxy else host, connection_problem(failure, timeout))


def connection_problem(error: BaseException, timeout: float) -> str:
    """A short description of why a connection failed, from the innermost error that has one."""
    error_chain: list[BaseException] = []
    while error not in error_chain:
        error_chain.append(error)
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        causes = (inner, error.__cause__, error.__context__)
        error = next((cause for cause in causes if isinstance(cause, BaseException)), error)
    if any(isinstance(link, socket.gaierror) for link in error_chain):
        return "its name does not resolve"
    if any(isinstance(link, TimeoutError) for link in error_chain):
        return f"no answer within {timeout:g} s"
    innermost = next(
        (link for link in reversed(error_chain) if isinstance(link, OSError) and link.strerror), error_chain[-1]
    )
    reason = innermost.strerror if isinstance(innermost, OSError) else None
    return (reason or str(innermost) or type(innermost).__name__).strip().splitlines()[0].rstrip(".")
