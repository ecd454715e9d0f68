"""The robots.txt of hosts (RFC 9309), which says what programs may fetch; cached for a day."""

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

PROGRAM = "Rayon"  # the name of this program in a robots.txt
FRESH_SECONDS = 86_400.0
STALE_SECONDS = 600.0  # for which an old one is used when it cannot be fetched again
RETRY_SECONDS = 5.0
MAX_CACHED_SITES = 500

# Fetches a robots.txt: its text, or None where the host has none; RateLimited or AddressUnavailable when it is unknown.
FetchRobots = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class SiteRules:
    """The rules of one site, to be fetched again after ``until`` (Unix time)."""

    parsed: Protego
    until: float

    def allow(self, target: Target) -> bool:
        """Whether this program may fetch the target."""
        return bool(self.parsed.can_fetch(target.url, PROGRAM))

    @property
    def crawl_delay(self) -> float | None:
        """Seconds that the site wants between two requests; None where it does not say."""
        given = self.parsed.crawl_delay(PROGRAM)
        return None if given is None or given < 0 else float(given)


@dataclass(frozen=True, slots=True)
class CachedRobots:
    """A robots.txt as the file cache holds it, fetched at ``fetched_at`` (Unix time)."""

    fetched_at: float
    text: str


class RobotsCache:
    """The robots.txt of sites, in memory and in files; ``clock`` is Unix time."""

    def __init__(self, files: FileCache, clock: Callable[[], float] = time.time) -> None:
        self._files = files
        self._clock = clock
        self._rules: dict[str, SiteRules] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._locks_guard = threading.Lock()

    def rules(self, target: Target, fetch: FetchRobots, patience: float) -> SiteRules:
        """The rules of the target's site; ``fetch`` is called where they are not cached, or too old.

        One thread fetches, the others wait ``patience`` seconds for it. Raises RateLimited when that is too short, and
        what ``fetch`` raises, unless an older robots.txt is cached.
        """
        site = f"{target.scheme}://{target.authority}"
        rules = self._rules.get(site)
        if rules is not None and self._clock() < rules.until:
            return rules
        lock = self._lock_of(site)
        if not lock.acquire(timeout=patience):
            raise RateLimited(Reason.of(ReasonCode.ROBOTS_BEING_FETCHED, host=target.authority), RETRY_SECONDS)
        try:
            rules = self._rules.get(site)
            if rules is None or self._clock() >= rules.until:
                rules = self._rules[site] = self._load(site, fetch)
            return rules
        finally:
            lock.release()

    def _load(self, site: str, fetch: FetchRobots) -> SiteRules:
        cached = self._read(site)
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

    def _read(self, site: str) -> CachedRobots | None:
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
