"""Reads robots.txt files (RFC 9309), the rules of sites for programs, and caches them for a day."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from protego import Protego

from infra.safe_fetch.addresses import Target
from infra.sources.http_cache import FileCache
from pipeline.domain.errors import AddressUnavailable, RateLimited
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

USER_AGENT_NAME = "Rayon"  # the product token by which a robots.txt addresses this program
FRESH_SECONDS = 86_400.0
STALE_SECONDS = 600.0  # how long an expired one is used when it cannot be fetched again
RETRY_SECONDS = 5.0
MAX_CACHED_SITES = 500

# Fetches a robots.txt: returns its text, or None where the host has none. Raises RateLimited or AddressUnavailable.
FetchRobots = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class SiteRules:
    """The rules of one site, to be fetched again after ``expires_at`` (Unix time)."""

    parsed: Protego
    expires_at: float

    def allow(self, target: Target) -> bool:
        """Whether this program may fetch the target."""
        return bool(self.parsed.can_fetch(target.url, USER_AGENT_NAME))

    @property
    def crawl_delay(self) -> float | None:
        """The seconds between two requests that the site asks for; None if it asks for none."""
        seconds = self.parsed.crawl_delay(USER_AGENT_NAME)
        return None if seconds is None or seconds < 0 else float(seconds)


@dataclass(frozen=True, slots=True)
class CachedRobots:
    """A robots.txt as stored in the file cache, fetched at ``fetched_at`` (Unix time)."""

    fetched_at: float
    text: str


class RobotsCache:
    """A cache of sites' robots.txt, in memory and in files; ``clock`` returns Unix time."""

    def __init__(self, files: FileCache, clock: Callable[[], float] = time.time) -> None:
        self._files = files
        self._clock = clock
        self._rules: dict[str, SiteRules] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._locks_guard = threading.Lock()

    def rules(self, target: Target, fetch: FetchRobots, max_wait: float) -> SiteRules:
        """The rules of the target's site; ``fetch`` is called when they are not cached or have expired.

        One thread fetches, the others wait up to ``max_wait`` seconds for it. Raises RateLimited when that is too
        short, and what ``fetch`` raises; on AddressUnavailable an expired robots.txt is used if one is cached.
        """
        site = f"{target.scheme}://{target.authority}"
        rules = self._rules.get(site)
        if rules is not None and self._clock() < rules.expires_at:
            return rules
        lock = self._lock_of(site)
        if not lock.acquire(timeout=max_wait):
            raise RateLimited(Reason.of(ReasonCode.ROBOTS_BEING_FETCHED, host=target.authority), RETRY_SECONDS)
        try:
            rules = self._rules.get(site)
            if rules is None or self._clock() >= rules.expires_at:
                rules = self._rules[site] = self._load(site, fetch)
            return rules
        finally:
            lock.release()

    def _load(self, site: str, fetch: FetchRobots) -> SiteRules:
        cached = self._read_cached(site)
        now = self._clock()
        if cached is not None and now - FRESH_SECONDS < cached.fetched_at <= now:
            return SiteRules(Protego.parse(cached.text), cached.fetched_at + FRESH_SECONDS)
        try:
            text = fetch(f"{site}/robots.txt") or ""
        except AddressUnavailable:
            if cached is None:
                raise
            return SiteRules(Protego.parse(cached.text), now + STALE_SECONDS)
        now = self._clock()
        self._files.set(site, json.dumps({"site": site, "at": now, "text": text}).encode())
        return SiteRules(Protego.parse(text), now + FRESH_SECONDS)

    def _read_cached(self, site: str) -> CachedRobots | None:
        try:
            cached = json.loads(self._files.get(site) or b"")
            return CachedRobots(float(cached["at"]), str(cached["text"]))
        except (ValueError, KeyError, TypeError):
            return None

    def _lock_of(self, site: str) -> threading.Lock:
        with self._locks_guard:
            if len(self._rules) > MAX_CACHED_SITES:
                self._rules.clear()
            return self._locks.setdefault(site, threading.Lock())
