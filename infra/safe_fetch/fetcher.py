"""Sends requests to addresses that users gave: fetches photos of listings, posts webhook deliveries."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urljoin

from infra.safe_fetch.addresses import FetchPolicy, Resolver, Target, parse_target, resolve, resolve_allowed
from infra.safe_fetch.connection import Deadline, HttpRequest, HttpResponse, UnusableResponse, send_request
from infra.safe_fetch.image_check import check_image, media_type_of
from pipeline.domain.errors import AddressUnavailable, BadImage, PermanentFailure
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.reason_code import ReasonCode

REDIRECT_STATUSES = {301, 302, 303, 307, 308}
TRANSIENT_STATUSES = {408, 425, 429}
BACKOFF_STATUSES = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
MAX_RETRY_AFTER = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class FetchedContent:
    """The bytes at an address; ``content_type`` is detected from them, ``final_url`` is the URL after redirects."""

    content: bytes
    content_type: str
    final_url: str


class HostBusy(AddressUnavailable):
    """A temporary error status (429, 5xx); ``retry_after`` (seconds) is None when the host did not send it."""

    def __init__(self, reason: Reason, retry_after: float | None, status: int) -> None:
        super().__init__(reason, retry_after)
        self.status = status


class HostRefused(PermanentFailure):
    """A permanent error ``status``, such as 404."""

    def __init__(self, reason: Reason, status: int) -> None:
        super().__init__(reason)
        self.status = status


class RequestPolicy(Protocol):
    """Decides when each request of a fetch, including redirects, may be sent, and sees how it ended."""

    def request(self, target: Target) -> AbstractContextManager[Mapping[str, str]]:
        """A context for one request: waits until it may be sent, yields headers to add, and sees its error, if any.

        Raises RateLimited when the wait would be too long, AddressUnavailable or PermanentFailure when the request must
        not be sent for another reason.
        """
        ...


class UnrestrictedRequests:
    """Sends every request at once."""

    @contextmanager
    def request(self, target: Target) -> Iterator[Mapping[str, str]]:  # noqa: ARG002 - required by the protocol
        """Wait for nothing and add no headers."""
        yield {}


class SafeFetcher:
    """Sends requests that obey a policy; proxy settings of the environment are ignored.

    It resolves host names itself, checks each IP address, and connects to the checked address, so that a name cannot
    change its address after the check (DNS rebinding).
    """

    def __init__(
        self, policy: FetchPolicy, resolver: Resolver = resolve, request_policy: RequestPolicy | None = None
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._request_policy = request_policy or UnrestrictedRequests()

    def fetch(self, url: str) -> FetchedContent:
        """GET ``url``, following redirects, each of which is checked like the first address.

        Raises ForbiddenAddress, AddressUnavailable (HostBusy with ``retry_after``), or PermanentFailure when the host
        refuses (404, 403...) or sends too much.
        """
        deadline: Deadline | None = None
        headers = {"Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity", "User-Agent": self._policy.user_agent}
        for _ in range(self._policy.max_redirects + 1):
            target = parse_target(url, self._policy)
            with self._request_policy.request(target) as policy_headers:
                # Starts here, because waiting for permission to send the first request does not count.
                deadline = deadline or Deadline(self._policy.total_timeout)
                response = self._send(HttpRequest("GET", target, {**headers, **policy_headers}), deadline)
                if response.status in REDIRECT_STATUSES and "location" in response.headers:
                    url = urljoin(target.url, response.headers["location"])
                    continue
                if response.status != HTTPStatus.OK:
                    raise status_error(response)
                return FetchedContent(response.body, media_type_of(response.body), target.url)
        raise PermanentFailure(Reason.of(ReasonCode.TOO_MANY_REDIRECTS, limit=self._policy.max_redirects))

    def fetch_image(self, url: str) -> FetchedContent:
        """Fetch an image: like ``fetch``, with BadImage for content that is no image or exceeds the policy's limits."""
        try:
            fetched = self.fetch(url)
        except UnusableResponse as error:
            raise BadImage(reason_of(error)) from error
        check_image(fetched.content, self._policy.max_bytes, self._policy.max_pixels)
        return fetched

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
        """POST ``body`` to a webhook's address; any status is returned, and redirects are not followed.

        The address is checked as in ``fetch``. Callers should treat a redirect as a failed delivery, because it could
        send the signed body to another host. Raises ForbiddenAddress, AddressUnavailable when there is no response in
        time, PermanentFailure when the response is too large.
        """
        all_headers = {"User-Agent": self._policy.user_agent, "Accept-Encoding": "identity", **headers}
        request = HttpRequest("POST", parse_target(url, self._policy), all_headers, body)
        return self._send(request, Deadline(self._policy.total_timeout))

    def _send(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        addresses = resolve_allowed(request.target, self._policy, self._resolver, deadline.remaining_seconds)
        return send_request(request, addresses, self._policy, deadline)


def fetch_image(url: str, policy: FetchPolicy) -> FetchedContent:
    """Fetch the image at an address a user gave; see ``SafeFetcher.fetch_image``."""
    return SafeFetcher(policy).fetch_image(url)


def status_error(response: HttpResponse, host: str = "") -> PermanentFailure | AddressUnavailable:
    """The error for an unsuccessful status: HostBusy when it is temporary (429, 5xx), else HostRefused."""
    is_standard = response.status in HTTPStatus._value2member_map_
    status = f"{response.status}" + (f" ({HTTPStatus(response.status).phrase})" if is_standard else "")
    code = ReasonCode.NAMED_HOST_STATUS if host else ReasonCode.HOST_STATUS
    reason = Reason(code, {"host": host, "status": status} if host else {"status": status})
    if response.status in TRANSIENT_STATUSES or response.status >= 500:
        return HostBusy(reason, _retry_after(response.headers), response.status)
    return HostRefused(reason, response.status)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    # RFC 9110, section 10.2.3: seconds, or a date by the host's clock, hence relative to its Date header.
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), MAX_RETRY_AFTER)
    until = _timestamp(text)
    if until is None:
        return None
    return min(max(until - (_timestamp(headers.get("date", "")) or time.time()), 0.0), MAX_RETRY_AFTER)


def _timestamp(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
