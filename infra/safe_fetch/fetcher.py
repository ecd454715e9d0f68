"""Requests to addresses that users gave: photos of listings are fetched, webhook deliveries are posted."""

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
MAX_RETRY_AFTER = 86_400.0


@dataclass(frozen=True, slots=True)
class FetchedContent:
    """The bytes of an address; ``content_type`` is judged by them, ``final_url`` is where redirects led."""

    content: bytes
    content_type: str
    final_url: str


class HostBusy(AddressUnavailable):
    """A status that may pass (429, 5xx); ``retry_after`` (seconds) is None when the host did not say."""

    def __init__(self, reason: Reason, retry_after: float | None, status: int) -> None:
        super().__init__(reason, retry_after)
        self.status = status


class HostRefused(PermanentFailure):
    """A lasting ``status`` other than success."""

    def __init__(self, reason: Reason, status: int) -> None:
        super().__init__(reason)
        self.status = status


class RequestPolicy(Protocol):
    """Decides when each request of a fetch, redirects included, may be sent, and observes how it ended."""

    def request(self, target: Target) -> AbstractContextManager[Mapping[str, str]]:
        """Surround one request: wait until it may be sent, give the headers to add, see the error it raised, if any.

        Raises RateLimited when it may be sent only later, AddressUnavailable and PermanentFailure for other reasons.
        """
        ...


class UnrestrictedRequests:
    """Sends every request at once."""

    @contextmanager
    def request(self, target: Target) -> Iterator[Mapping[str, str]]:  # noqa: ARG002 - as the protocol has it
        """Never waits, adds no header."""
        yield {}


class SafeFetcher:
    """Sends requests within a policy; proxies of the environment are not used.

    Names are resolved here, each IP address is checked, and the connection is made to the checked address, so that a
    name cannot change its address in between (DNS rebinding).
    """

    def __init__(
        self, policy: FetchPolicy, resolver: Resolver = resolve, request_policy: RequestPolicy | None = None
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._request_policy = request_policy or UnrestrictedRequests()

    def fetch(self, url: str) -> FetchedContent:
        """GET ``url``; each redirect is checked like the first address, and followed.

        Raises ForbiddenAddress, AddressUnavailable (HostBusy with ``retry_after``), or PermanentFailure when the host
        refuses (404, 403...) or sends too much.
        """
        deadline: Deadline | None = None
        headers = {"Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity", "User-Agent": self._policy.user_agent}
        for _ in range(self._policy.max_redirects + 1):
            target = parse_target(url, self._policy)
            with self._request_policy.request(target) as more_headers:
                # Started only now: waiting before the first request is not the host's time.
                deadline = deadline or Deadline(self._policy.total_time)
                response = self._send(HttpRequest("GET", target, {**headers, **more_headers}), deadline)
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

        The address passes the same checks as in ``fetch``: a redirect could lead the signed body to another host, so
        senders treat it as a failed delivery. Raises ForbiddenAddress, AddressUnavailable when there is no response in
        time, PermanentFailure when the response is too large.
        """
        all_headers = {"User-Agent": self._policy.user_agent, "Accept-Encoding": "identity", **headers}
        request = HttpRequest("POST", parse_target(url, self._policy), all_headers, body)
        return self._send(request, Deadline(self._policy.total_time))

    def _send(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        addresses = resolve_allowed(request.target, self._policy, self._resolver, deadline.left)
        return send_request(request, addresses, self._policy, deadline)


def fetch_image(url: str, policy: FetchPolicy) -> FetchedContent:
    """Fetch the image at an address a user gave; see ``SafeFetcher.fetch_image``."""
    return SafeFetcher(policy).fetch_image(url)


def status_error(response: HttpResponse, host: str = "") -> PermanentFailure | AddressUnavailable:
    """The error for a status other than success: HostBusy when it may pass (429, 5xx), else HostRefused."""
    known = response.status in HTTPStatus._value2member_map_
    status = f"{response.status}" + (f" ({HTTPStatus(response.status).phrase})" if known else "")
    code = ReasonCode.NAMED_HOST_STATUS if host else ReasonCode.HOST_STATUS
    reason = Reason(code, {"host": host, "status": status} if host else {"status": status})
    if response.status in TRANSIENT_STATUSES or response.status >= 500:
        return HostBusy(reason, _retry_after(response.headers), response.status)
    return HostRefused(reason, response.status)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    # RFC 9110, section 10.2.3: seconds, or a date, which is by the host's clock, not by ours.
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
