"""How photos are requested: hosts of product databases within rate limits and by their robots.txt, others at once.

Product databases publish no limit for their photos. The measure is the traffic of one visitor of a shop: a few photos a
second, for all workers together.
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
from infra.store.rate_limits import HostRateLimiter, PausePolicy, Permit, RateLimit
from pipeline.domain.errors import AddressUnavailable, PermanentFailure, RateLimited
from pipeline.domain.product_databases import DATABASES, find_database
from pipeline.domain.product_source import SourceBusy
from pipeline.domain.reason import Reason, Value, reason_of
from pipeline.domain.reason_code import ReasonCode

PHOTO = "photo"  # the kind of permits
WAIT_SECONDS = 2.0  # for a permit; a worker does something else if it comes later
PORTIONS = 6  # parts in which the requests of a minute are granted, so that they do not come all at once
GIVE_UP_FAILURES = 20  # in a row, over hours: photos of such a host are given up like those of other dead addresses
ROBOTS_BYTES = 1_000_000
ROBOTS_CACHE_BYTES = 20_000_000
DISALLOWED = Reason(ReasonCode.ROBOTS_DISALLOW)


class PhotoRateLimits:
    """The rules for photo requests of one process, by the rate limiter that all processes share."""

    def __init__(self, settings: Settings, policy: FetchPolicy, limiter: HostRateLimiter, robots: RobotsCache) -> None:
        """Raises InvalidInput when RAYON_SOURCES_ADDRESS cannot be read."""
        self.limiter = limiter
        self.politeness = Politeness(limiter)
        self.headers = {"User-Agent": user_agent(settings.contact)}
        addresses = settings.sources_address
        self.limited_hosts = frozenset[str]().union(*(find_database(n, addresses).image_hosts for n in DATABASES))
        self._settings = settings
        self._policy = policy
        self._robots = robots

    def policy_for(self, *, collected: bool) -> PhotoRequestPolicy:
        """The policy of one fetch; ``collected`` when its address came from a product database."""
        return PhotoRequestPolicy(self, collected, WaitBudget(WAIT_SECONDS))

    def rate_limit(self, crawl_delay: float | None = None) -> RateLimit:
        """The rate limit of a host; ``crawl_delay`` is the least time between two requests, by its robots.txt."""
        requests, minute = self._settings.photo_requests, self._settings.source_minute
        if crawl_delay is None:
            portion = max(1, requests // PORTIONS)
            return RateLimit(portion, minute * portion / requests)
        return RateLimit(1, max(crawl_delay, minute / requests))

    @property
    def default_pause(self) -> float:
        """Seconds that a host is paused when it is busy and does not say for how long."""
        return self._settings.source_minute

    @property
    def longest_request(self) -> float:
        """Seconds that a request may take."""
        return self._policy.total_time

    def site_rules(self, target: Target, budget: WaitBudget) -> SiteRules:
        """The rules of the target's site. Raises AddressUnavailable when its robots.txt cannot be read."""

        def fetch_robots(address: str) -> str | None:
            policy = replace(self._policy, max_bytes=ROBOTS_BYTES)
            try:
                found = SafeFetcher(policy, request_policy=RateLimitedRequests(self, budget)).fetch(address)
            except HostRefused as refused:
                if 400 <= refused.status < 500:
                    return None
                raise AddressUnavailable(_unreadable_robots(target, refused)) from refused
            except RateLimited:
                raise
            except (AddressUnavailable, PermanentFailure) as failure:
                raise AddressUnavailable(_unreadable_robots(target, failure)) from failure
            return found.content.decode("utf-8-sig", "replace")

        return self._robots.rules(target, fetch_robots, budget.left)


@dataclass(frozen=True, slots=True)
class RateLimitedRequests:
    """Every request waits for its permit, and its result is recorded for all processes."""

    context: PhotoRateLimits
    budget: WaitBudget

    @contextmanager
    def request(self, target: Target) -> Iterator[Mapping[str, str]]:
        """See ``RequestPolicy``."""
        with self.permit(target.authority, self.context.rate_limit()):
            yield self.context.headers

    @contextmanager
    def permit(self, host: str, limit: RateLimit) -> Iterator[None]:
        """One request inside the ``with``. RateLimited when it has to wait longer, or the host asks for that."""
        permit = self._acquire(host, limit)
        failure: AddressUnavailable | SourceBusy | None = None
        try:
            yield
        except HostBusy as busy:
            failure = busy
            if busy.status not in BACKOFF_STATUSES:
                raise
            seconds = self.context.default_pause if busy.retry_after is None else busy.retry_after
            failure = SourceBusy(str(busy), seconds)
            raise RateLimited(_asks_to_wait(host, reason_of(busy)), self._return_in(host, limit, seconds)) from busy
        except AddressUnavailable as error:
            failure = error
            raise
        finally:
            with suppress(SQLAlchemyError):  # the slot becomes free by itself; a photo that is here stays here
                self.context.politeness.record(permit, failure)

    def _acquire(self, host: str, limit: RateLimit) -> Permit:
        try:
            return self.context.politeness.acquire(host, PHOTO, limit, self.context.longest_request, self.budget)
        except HostPaused as paused:
            if paused.failures >= GIVE_UP_FAILURES:
                failures: dict[str, Value] = {"host": host, "n": paused.failures, "problem": paused.reason}
                raise AddressUnavailable(Reason(ReasonCode.HOST_FAILED_OFTEN, failures)) from paused
            reason = Reason.of(ReasonCode.HOST_PAUSED, host=host, problem=paused.reason)
            raise RateLimited(reason, self._return_in(host, limit, paused.retry_after)) from paused
        except SourceBusy as busy:
            rate: dict[str, Value] = {"host": host, "n": limit.requests, "seconds": f"{limit.window:g}"}
            raise RateLimited(
                Reason(ReasonCode.PHOTO_RATE_LIMIT, rate), self._return_in(host, limit, busy.retry_after)
            ) from busy
        except SQLAlchemyError as error:
            raise RateLimited(Reason(ReasonCode.RATE_LIMITS_UNREADABLE), RETRY_SECONDS) from error

    def _return_in(self, host: str, limit: RateLimit, seconds: float) -> float:
        try:
            return self.context.politeness.return_in(host, PHOTO, limit, seconds)
        except SQLAlchemyError:
            return max(seconds, RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class PhotoRequestPolicy:
    """The request policy of one photo fetch, for each host that its redirects lead to."""

    context: PhotoRateLimits
    collected: bool
    budget: WaitBudget

    def is_limited(self, target: Target) -> bool:
        """Whether requests to the target's host are limited as those to a product database."""
        return self.collected or target.authority in self.context.limited_hosts

    @contextmanager
    def request(self, target: Target) -> Iterator[Mapping[str, str]]:
        """See ``RequestPolicy``. Raises PermanentFailure where a limited host's robots.txt forbids the request."""
        if not self.is_limited(target):
            with self._unlimited(target.authority):
                yield {}
            return
        rules = self.context.site_rules(target, self.budget)
        if not rules.allow(target):
            raise PermanentFailure(DISALLOWED)
        limit = self.context.rate_limit(rules.crawl_delay)
        with RateLimitedRequests(self.context, self.budget).permit(target.authority, limit):
            yield self.context.headers

    @contextmanager
    def _unlimited(self, host: str) -> Iterator[None]:
        """Send to any other host at once, unless it told one of our processes when to ask again."""
        pause = None
        with suppress(SQLAlchemyError):
            pause = self.context.limiter.pause_of(host)
        if pause is not None:
            raise AddressUnavailable(_asks_to_wait(host, Reason.other(pause.reason or "")), pause.seconds)
        try:
            yield
        except HostBusy as busy:
            if busy.retry_after:
                with suppress(SQLAlchemyError):
                    self.context.limiter.pause(host, str(busy), busy.retry_after)
            raise


def _asks_to_wait(host: str, problem: Reason) -> Reason:
    return Reason.of(ReasonCode.HOST_ASKS_TO_WAIT, host=host, problem=problem)


def _unreadable_robots(target: Target, error: Exception) -> Reason:
    return Reason.of(ReasonCode.ROBOTS_UNREADABLE, host=target.authority, problem=reason_of(error))


def open_photo_rate_limits(settings: Settings, policy: FetchPolicy, engine: Engine) -> PhotoRateLimits:
    """The politeness of the settings, with rate limits in the database of ``engine``; connects to nothing yet."""
    limiter = HostRateLimiter(engine, PausePolicy(settings.source_failures, settings.source_rest))
    cache = FileCache(settings.home / "cache" / "robots", ROBOTS_CACHE_BYTES)
    return PhotoRateLimits(settings, policy, limiter, RobotsCache(cache))
