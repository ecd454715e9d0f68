"""Politeness towards hosts: no request beyond their rate limits, none while a host is paused."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from infra.safe_fetch.fetcher import HostBusy
from infra.store.host_rate_limits import MAX_QUEUE_DELAY, HostRateLimiter, Permit, RateLimit, RetryLater
from pipeline.domain.errors import AddressUnavailable
from pipeline.domain.product_source import SourceBusy

SEND_WITHIN = 5.0  # seconds after which an unused permit must not be used any more
CLOCK_MARGIN = 0.01  # share added to rate limit windows, because hosts' clocks run at slightly different speeds
REPORTED_WAIT = 2.0  # seconds; shorter waits are not reported
MIN_WAIT = 0.002  # seconds

Progress = Callable[[str], None]  # called with a sentence for the user


def user_agent(contact: str) -> str:
    """The User-Agent header that product databases ask for: program, version, and a contact address."""
    return f"Rayon/{_version()} ({contact.strip() or 'product categoriser; no contact was given'})"


@cache
def _version() -> str:
    try:
        return version("rayon")
    except PackageNotFoundError:  # run from a checkout
        return "0"


class WaitTooLong(SourceBusy):
    """The wait would exceed the budget; the message says when to retry."""

    def __str__(self) -> str:
        return f"{self.cause}; to be asked again in {self.retry_after:.0f} s"


class WaitBudget:
    """The total time that one call may wait, for permits and for hosts; ``progress`` is told of longer waits."""

    def __init__(
        self,
        seconds: float,
        progress: Progress | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.remaining_seconds = seconds
        self._progress = progress
        self._sleep = sleep

    def wait(self, seconds: float, reason: str) -> None:
        """Wait, or raise WaitTooLong when that exceeds the remaining seconds."""
        if seconds > self.remaining_seconds:
            raise WaitTooLong(reason, seconds)
        if self._progress and seconds >= REPORTED_WAIT:
            self._progress(f"waiting {seconds:.0f} s: {reason}")
        self.remaining_seconds -= seconds
        self._sleep(seconds)


class HostPaused(WaitTooLong):
    """The host is paused for this ``reason``, after ``failures`` consecutive failures."""

    def __init__(self, message: str, retry_after: float, reason: str, failures: int) -> None:
        super().__init__(message, retry_after)
        self.reason = reason
        self.failures = failures


class Politeness:
    """Waits for permits to send requests to hosts, granted by the rate limiter that all processes share."""

    def __init__(self, limiter: HostRateLimiter) -> None:
        self._limiter = limiter

    def acquire(self, host: str, kind: str, limit: RateLimit, max_response_delay: float, budget: WaitBudget) -> Permit:
        """Wait for a permit to send one request, whose response may take ``max_response_delay`` seconds to begin.

        Raises WaitTooLong when the permit would come later than the budget allows, HostPaused when that is because the
        host is paused.
        """
        limit = _with_margin(limit)
        while True:
            requested_at = time.monotonic()
            decision = self._limiter.acquire(host, kind, limit, SEND_WITHIN + max_response_delay)
            if isinstance(decision, RetryLater):
                reason = (
                    f"{host} is paused: {decision.reason}" if decision.reason else _limit_reached(host, kind, limit)
                )
                # Processes that wait for the same slot retry at slightly different times.
                seconds = decision.seconds + MIN_WAIT + random.random() * min(0.02, limit.window / 50)
                try:
                    budget.wait(seconds, reason)
                except WaitTooLong as busy:
                    if decision.reason is None:
                        raise
                    raise HostPaused(busy.cause, busy.retry_after, decision.reason, decision.failures) from None
            elif time.monotonic() - requested_at <= SEND_WITHIN:
                return decision
            # Else this process was suspended for seconds, and the permit is too old to use: ask for another.

    def enqueue_retry(self, host: str, kind: str, limit: RateLimit, seconds: float) -> float:
        """Queue a retry behind all waiting requests; return the seconds until then, at least ``seconds``."""
        wait = self._limiter.enqueue(host, kind, _with_margin(limit), seconds)
        return wait * random.uniform(0.9, 1.0) if wait >= MAX_QUEUE_DELAY > seconds else wait

    def response_begun(self, permit: Permit) -> None:
        """Record that the response has begun, hence that the host has received the request."""
        self._limiter.release(permit)

    def record(self, permit: Permit, failure: AddressUnavailable | SourceBusy | None = None) -> None:
        """Record for all processes that the host responded, or the ``failure`` of the request."""
        if failure is None:
            self._limiter.succeeded(permit)
            return
        retry_after = failure.retry_after if isinstance(failure, HostBusy | SourceBusy) else None
        self._limiter.failed(permit, str(failure), retry_after)


def _with_margin(limit: RateLimit) -> RateLimit:
    return RateLimit(limit.requests, limit.window * (1 + CLOCK_MARGIN))


def _limit_reached(host: str, kind: str, limit: RateLimit) -> str:
    return f"{host} gets at most {limit.requests} requests ({kind}) in {limit.window:.0f} s"
