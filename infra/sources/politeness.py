"""Politeness towards hosts: no request above their rate limits, none while a host is paused."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from infra.safe_fetch.fetcher import HostBusy
from infra.store.rate_limits import MAX_QUEUE_DELAY, HostRateLimiter, Permit, RateLimit, RetryLater
from pipeline.domain.errors import AddressUnavailable
from pipeline.domain.product_source import SourceBusy

SEND_WITHIN = 5.0  # a permit that was not used by then is not used at all
CLOCK_MARGIN = 0.01  # clocks of hosts tick a little differently
REPORTED_WAIT = 2.0  # seconds; shorter waits are not reported
MIN_WAIT = 0.002

Progress = Callable[[str], None]  # is given a sentence for the user


def user_agent(contact: str) -> str:
    """The User-Agent header as product databases ask for it: program, version, and an address to write to."""
    return f"Rayon/{_version()} ({contact.strip() or 'product categoriser; no contact was given'})"


@cache
def _version() -> str:
    try:
        return version("rayon")
    except PackageNotFoundError:  # run from a checkout
        return "0"


class WaitTooLong(SourceBusy):
    """The wait is longer than the budget; the message says when to ask again."""

    def __str__(self) -> str:
        return f"{self.cause}; to be asked again in {self.retry_after:.0f} s"


class WaitBudget:
    """The seconds that one call may wait in all, for permits and for hosts; ``progress`` is given the reason."""

    def __init__(
        self,
        seconds: float,
        progress: Progress | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.left = seconds
        self._progress = progress
        self._sleep = sleep

    def wait(self, seconds: float, reason: str) -> None:
        """Wait, or raise WaitTooLong when that is more than what is left."""
        if seconds > self.left:
            raise WaitTooLong(reason, seconds)
        if self._progress and seconds >= REPORTED_WAIT:
            self._progress(f"waiting {seconds:.0f} s: {reason}")
        self.left -= seconds
        self._sleep(seconds)


class HostPaused(WaitTooLong):
    """The host is paused for this ``reason``, after so many ``failures`` in a row."""

    def __init__(self, message: str, retry_after: float, reason: str, failures: int) -> None:
        super().__init__(message, retry_after)
        self.reason = reason
        self.failures = failures


class Politeness:
    """Waits for permits to send requests to hosts, by the rate limiter that all processes share."""

    def __init__(self, limiter: HostRateLimiter) -> None:
        self._limiter = limiter

    def acquire(self, host: str, kind: str, limit: RateLimit, longest: float, budget: WaitBudget) -> Permit:
        """Wait for a permit to send one request, whose response may take ``longest`` seconds to begin.

        Raises SourceBusy when the permit comes later than the budget allows, HostPaused when that is the host's doing.
        """
        limit = _with_margin(limit)
        while True:
            begun = time.monotonic()
            found = self._limiter.acquire(host, kind, limit, SEND_WITHIN + longest)
            if isinstance(found, RetryLater):
                reason = f"{host} is paused: {found.reason}" if found.reason else _limit_reached(host, kind, limit)
                # Those that wait for the same slot look again at slightly different times.
                seconds = found.seconds + MIN_WAIT + random.random() * min(0.02, limit.window / 50)
                try:
                    budget.wait(seconds, reason)
                except WaitTooLong as busy:
                    if found.reason is None:
                        raise
                    raise HostPaused(busy.cause, busy.retry_after, found.reason, found.failures) from None
            elif time.monotonic() - begun <= SEND_WITHIN:
                return found
            # Else this process was held up for seconds: others rely on a permit being used soon, or not at all.

    def return_in(self, host: str, kind: str, limit: RateLimit, seconds: float) -> float:
        """After how many seconds, at least ``seconds``, to ask for a permit again, behind all others that wait."""
        wait = self._limiter.enqueue(host, kind, _with_margin(limit), seconds)
        return wait * random.uniform(0.9, 1.0) if wait >= MAX_QUEUE_DELAY > seconds else wait

    def response_begun(self, permit: Permit) -> None:
        """Record that the response has begun, and so that the request has arrived."""
        self._limiter.release(permit)

    def record(self, permit: Permit, failure: AddressUnavailable | SourceBusy | None = None) -> None:
        """Record how the request ended, for all processes: the host responded, or failed like this."""
        if failure is None:
            self._limiter.succeeded(permit)
            return
        retry_after = failure.retry_after if isinstance(failure, HostBusy | SourceBusy) else None
        self._limiter.failed(permit, str(failure), retry_after)


def _with_margin(limit: RateLimit) -> RateLimit:
    return RateLimit(limit.requests, limit.window * (1 + CLOCK_MARGIN))


def _limit_reached(host: str, kind: str, limit: RateLimit) -> str:
    return f"{host} gets at most {limit.requests} requests ({kind}) in {limit.window:.0f} s"
