"""Rate limits of photo requests: hosts of product databases are limited and their robots.txt is obeyed, others are not.

Product databases publish no limit for their photos. The limit is set to the traffic of one visitor of a shop: a few
photos per second, for all workers together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from infra.photos.robots_txt import RETRY_SECONDS, RobotsCache, SiteRules
from infra.safe_fetch.addresses import FetchPolicy, Target
from infra.safe_fetch.fetcher import BACKOFF_STATUSES, HostBusy, HostRefused, SafeFetcher
from infra.settings import Settings
from infra.sources.http_cache import FileCache
from infra.sources.politeness import HostPaused, Politeness, WaitBudget, user_agent
from infra.store.host_rate_limits import HostRateLimiter, PausePolicy, Permit, RateLimit
from pipeline.domain.errors import AddressUnavailable, PermanentFailure, RateLimited
from pipeline.domain.product_databases import DATABASES, find_database
from pipeline.domain.product_source import SourceBusy
from pipeline.domain.reason import Reason, Value, reason_of
from pipeline.domain.reason_code import ReasonCode

PERMIT_KIND = "photo"
MAX_WAIT_SECONDS = 2.0  # for a permit; when it would take longer, the worker turns to other work
PORTIONS_PER_MINUTE = 6  # the requests of a minute are permitted in this many portions, to avoid bursts
GIVE_UP_FAILURES = 20  # consecutive failures, over hours, after which a host's photos count as unavailable
MAX_ROBOTS_BYTES = 1_000_000
ROBOTS_CACHE_BYTES = 20_000_000
DISALLOWED = Reason(ReasonCode.ROBOTS_DISALLOW)


class PhotoRateLimits:
    """The photo request rules of one process; they use the rate limiter that all processes share."""

    def __init__(self, settings: Settings, policy: FetchPolicy, limiter: HostRateLimiter, robots: RobotsCache) -> None:
        """Raises InvalidInput when RAYON_SOURCES_ADDRESS is invalid."""
        self.limiter = limiter
        self.politeness = Politeness(limiter)
        self.headers = {"User-Agent": user_agent(settings.contact)}
        addresses = settings.sources_address
        self.limited_hosts = frozenset[str]().union(*(find_database(name, addresses).image_hosts for name in DATABASES))
        self._settings = settings
        self._policy = policy
        self._robots = robots

    def policy_for(self, *, collected: bool) -> PhotoRequestPolicy:
        """The request policy of one fetch; ``collected`` says whether its address came from a product database."""
        return PhotoRequestPolicy(self, collected, WaitBudget(MAX_WAIT_SECONDS))

    def rate_limit(self, crawl_delay: float | None = None) -> RateLimit:
        """The rate limit of a host; ``crawl_delay`` is its robots.txt's minimum time between requests (seconds)."""
        requests, minute = self._settings.photo_requests, self._settings.source_minute
        if crawl_delay is None:
            portion = max(1, requests // PORTIONS_PER_MINUTE)
            return RateLimit(portion, minute * portion / requests)
        return RateLimit(1, max(crawl_delay, minute / requests))

    @property
    def default_pause(self) -> float:
        """Seconds for which a busy host is paused when it does not say for how long."""
        return self._settings.source_minute

    @property
    def max_request_seconds(self) -> float:
        """The maximum duration of a request."""
        return self._policy.total_timeout

    def site_rules(self, target: Target, budget: WaitBudget) -> SiteRules:
        """The robots.txt rules of the target's site. Raises AddressUnavailable when they cannot be fetched."""

        def fetch_robots(address: str) -> str | None:
            policy = replace(self._policy, max_bytes=MAX_ROBOTS_BYTES)
            try:
                robots = SafeFetcher(policy, request_policy=RateLimitedRequests(self, budget)).fetch(address)
            except HostRefused as refusal:
                if 400 <= refusal.status < 500:
                    return None
                raise AddressUnavailable(_unreadable_robots(target, refusal)) from refusal
            except RateLimited:
                raise
            except (AddressUnavailable, PermanentFailure) as failure:
                raise AddressUnavailable(_unreadable_robots(target, failure)) from failure
            return robots.content.decode("utf-8-sig", "replace")

        return self._robots.rules(target, fetch_robots, budget.remaining_seconds)


@dataclass(frozen=True, slots=True)
class RateLimitedRequests:
    """Lets every request wait for a permit, and records its result for all processes."""

    rate_limits: PhotoRateLimits
    budget: WaitBudget

    @contextmanager
    def request(self, target: Target) -> Iterator[Mapping[str, str]]:
        """See ``RequestPolicy``."""
        with self.permit(target.authority, self.rate_limits.rate_limit()):
            yield self.rate_limits.headers

    @contextmanager
    def permit(self, host: str, limit: RateLimit) -> Iterator[None]:
        """Permit one request inside the ``with``; RateLimited when the wait would be too long, or the host is busy."""
        permit = self._acquire(host, limit)
        failure: AddressUnavailable | SourceBusy | None = None
        try:
            yield
        except HostBusy as busy:
            failure = busy
            if busy.status not in BACKOFF_STATUSES:
                raise
            seconds = self.rate_limits.default_pause if busy.retry_after is None else busy.retry_after
            failure = SourceBusy(str(busy), seconds)
            raise RateLimited(_asks_to_wait(host, reason_of(busy)), self._retry_in(host, limit, seconds)) from busy
        except AddressUnavailable as error:
            failure = error
            raise
        finally:
            with suppress(SQLAlchemyError):  # the permit expires by itself, and a fetched photo must not be lost
                self.rate_limits.politeness.record(permit, failure)

    def _acquire(self, host: str, limit: RateLimit) -> Permit:
        try:
            return self.rate_limits.politeness.acquire(
                host, PERMIT_KIND, limit, self.rate_limits.max_request_seconds, self.budget
            )
        except HostPaused as paused:
            if paused.failures >= GIVE_UP_FAILURES:
                failures: dict[str, Value] = {"host": host, "n": paused.failures, "problem": paused.reason}
                raise AddressUnavailable(Reason(ReasonCode.HOST_FAILED_OFTEN, failures)) from paused
            reason = Reason.of(ReasonCode.HOST_PAUSED, host=host, problem=paused.reason)
            raise RateLimited(reason, self._retry_in(host, limit, paused.retry_after)) from paused
        except SourceBusy as busy:
            rate: dict[str, Value] = {"host": host, "n": limit.requests, "seconds": f"{limit.window:g}"}
            raise RateLimited(
                Reason(ReasonCode.PHOTO_RATE_LIMIT, rate), self._retry_in(host, limit, busy.retry_after)
            ) from busy
        except SQLAlchemyError as error:
            raise RateLimited(Reason(ReasonCode.RATE_LIMITS_UNREADABLE), RETRY_SECONDS) from error

    def _retry_in(self, host: str, limit: RateLimit, seconds: float) -> float:
        try:
            return self.rate_limits.politeness.enqueue_retry(host, PERMIT_KIND, limit, seconds)
        except SQLAlchemyError:
            return max(seconds, RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class PhotoRequestPolicy:
    """The request policy of one photo fetch, applied to the host of each redirect too."""

    rate_limits: PhotoRateLimits
    collected: bool
    budget: WaitBudget

    def is_limited(self, target: Target) -> bool:
        """Whether requests to the target's host are rate-limited: it belongs to a product database."""
        return self.collected or target.authority in self.rate_limits.limited_hosts

    @contextmanager
    def request(self, target: Target) -> Iterator[Mapping[str, str]]:
        """See ``RequestPolicy``. Raises PermanentFailure where a limited host's robots.txt forbids the request."""
        if not self.is_limited(target):
            with self._unlimited(target.authority):
                yield {}
            return
        rules = self.rate_limits.site_rules(target, self.budget)
        if not rules.allow(target):
            raise PermanentFailure(DISALLOWED)
        limit = self.rate_limits.rate_limit(rules.crawl_delay)
        with RateLimitedRequests(self.rate_limits, self.budget).permit(target.authority, limit):
            yield self.rate_limits.headers

    @contextmanager
    def _unlimited(self, host: str) -> Iterator[None]:
        """Permit the request at once, unless the host told one of our processes when to retry."""
        pause = None
        with suppress(SQLAlchemyError):
            pause = self.rate_limits.limiter.pause_of(host)
        if pause is not None:
            raise AddressUnavailable(_asks_to_wait(host, Reason.other(pause.reason or "")), pause.seconds)
        try:
            yield
        except HostBusy as busy:
            if busy.retry_after:
                with suppress(SQLAlchemyError):
                    self.rate_limits.limiter.pause(host, str(busy), busy.retry_after)
            raise


def _asks_to_wait(host: str, problem: Reason) -> Reason:
    return Reason.of(ReasonCode.HOST_ASKS_TO_WAIT, host=host, problem=problem)


def _unreadable_robots(target: Target, error: Exception) -> Reason:
    return Reason.of(ReasonCode.ROBOTS_UNREADABLE, host=target.authority, problem=reason_of(error))


def open_photo_rate_limits(settings: Settings, policy: FetchPolicy, engine: Engine) -> PhotoRateLimits:
    """The rate limits by the settings, stored in the database of ``engine``; does not connect to it yet."""
    limiter = HostRateLimiter(engine, PausePolicy(settings.source_failures, settings.source_rest))
    cache = FileCache(settings.home / "cache" / "robots", ROBOTS_CACHE_BYTES)
    return PhotoRateLimits(settings, policy, limiter, RobotsCache(cache))
