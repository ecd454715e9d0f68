"""Safe fetching of any address a user gave: photos of listings, targets of webhooks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urljoin

from infra.safe_fetch.addresses import Resolver, Target, allowed_ips, read_target, resolve
from infra.safe_fetch.connection import Answer, Deadline, UnusableAnswer, exchange
from infra.safe_fetch.image_check import check_picture, sniff
from infra.safe_fetch.policy import FetchPolicy
from infra.safe_fetch.request_policy import AskAtOnce, RequestPolicy
from pipeline.domain.errors import AddressUnavailable, BadImage, PermanentFailure

REDIRECTS = {301, 302, 303, 307, 308}
MAY_PASS = {408, 425, 429}
ASKS_TO_WAIT = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
LONGEST_RETRY_AFTER = 86_400.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes of an address; ``content_type`` is judged by them, ``final_url`` is where redirects led."""

    content: bytes
    content_type: str
    final_url: str


class AddressBusy(AddressUnavailable):
    """An answer that may pass (429, 5xx), with its ``status``; ``retry_after`` is None when the host did not say."""

    def __init__(self, message: str, retry_after: float | None, status: int) -> None:
        super().__init__(message, retry_after)
        self.status = status


class Refused(PermanentFailure):
    """An answer other than success that lasts, with its ``status``."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class SafeFetcher:
    """Fetches by a policy; proxies of the environment are not used.

    Names are resolved here, each address is checked, and the checked one is connected to, so that a name cannot
    change its mind in between (DNS rebinding). ``manners`` surround each request of a fetch.
    """

    def __init__(self, policy: FetchPolicy, resolver: Resolver = resolve, manners: RequestPolicy | None = None) -> None:
        self._policy = policy
        self._resolver = resolver
        self._manners = manners or AskAtOnce()

    def fetch(self, url: str) -> Fetched:
        """The bytes behind ``url``, redirects followed and checked one by one.

        Raises ForbiddenAddress, AddressUnavailable (AddressBusy with ``retry_after``), or PermanentFailure when the
        host refuses (404, 403...) or sends too much.
        """
        deadline: Deadline | None = None
        headers = {"Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity", "User-Agent": self._policy.user_agent}
        for _ in range(self._policy.max_redirects + 1):
            target = read_target(url, self._policy)
            with self._manners.asking(target) as more:
                # Only now: what was waited for before the first request is not the host's time.
                deadline = deadline or Deadline(self._policy.total_time)
                answer = self._ask("GET", target, {**headers, **more}, None, deadline)
                if answer.status in REDIRECTS and "location" in answer.headers:
                    url = urljoin(target.url, answer.headers["location"])
                    continue
                if answer.status != HTTPStatus.OK:
                    raise refusal(answer)
                return Fetched(answer.body, sniff(answer.body), target.url)
        raise PermanentFailure(f"the address redirects more than {self._policy.max_redirects} times")

    def fetch_image(self, url: str) -> Fetched:
        """Like ``fetch``, for a picture; BadImage when the bytes are none, or too many, or too many pixels."""
        try:
            fetched = self.fetch(url)
        except UnusableAnswer as error:
            raise BadImage(str(error)) from error
        check_picture(fetched.content, self._policy.max_bytes, self._policy.max_pixels)
        return fetched

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send ``body`` under the same rules; redirects are answers like others. For webhooks."""
        extended = {"User-Agent": self._policy.user_agent, "Accept-Encoding": "identity", **headers}
        return self._ask("POST", read_target(url, self._policy), extended, body, Deadline(self._policy.total_time))

    def _ask(
        self, method: str, target: Target, headers: Mapping[str, str], body: bytes | None, deadline: Deadline
    ) -> Answer:
        addresses = allowed_ips(target, self._policy, self._resolver, deadline.left)
        return exchange(method, target, addresses, headers, body, self._policy, deadline)


def fetch_image(url: str, policy: FetchPolicy) -> Fetched:
    """The picture behind an address a user gave, by the policy's rules; see ``SafeFetcher.fetch_image``."""
    return SafeFetcher(policy).fetch_image(url)


def refusal(answer: Answer, host: str = "the host") -> PermanentFailure | AddressUnavailable:
    """The error that an answer other than success stands for: passing (429, 5xx) or lasting."""
    known = answer.status in HTTPStatus._value2member_map_
    text = f"{host} answers {answer.status}" + (f" ({HTTPStatus(answer.status).phrase})" if known else "")
    if answer.status in MAY_PASS or answer.status >= 500:
        return AddressBusy(text, _retry_after(answer.headers), answer.status)
    return Refused(text, answer.status)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    # RFC 9110, section 10.2.3: seconds, or a date; that is told by the host's clock, not by ours.
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_RETRY_AFTER)
    until = _moment(text)
    if until is None:
        return None
    return min(max(until - (_moment(headers.get("date", "")) or time.time()), 0.0), LONGEST_RETRY_AFTER)


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
