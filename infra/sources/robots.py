"""What hosts allow programs to fetch: their robots.txt (RFC 9309), kept for a day."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from protego import Protego

from infra.safe_fetch.addresses import Target
from infra.sources.http_cache import FileCache
from pipeline.domain.errors import AddressUnavailable, NotOurTurn

NAME = "Rayon"  # what a robots.txt calls this program
FRESH_SECONDS = 86_400.0
LATER_SECONDS = 600.0  # an old one is used meanwhile, where the host does not give it again
SOON = 5.0
MOST_SITES = 500

# Gives the text of a robots.txt, None where the host has none; NotOurTurn or AddressUnavailable when nobody knows.
Ask = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one site, to be asked for again after ``until`` (Unix time)."""

    parsed: Protego
    until: float

    def allow(self, target: Target) -> bool:
        """Whether this program may fetch it."""
        return bool(self.parsed.can_fetch(target.url, NAME))

    @property
    def delay(self) -> float | None:
        """Seconds that the site wants between two requests (``Crawl-delay``), None where it does not say."""
        given = self.parsed.crawl_delay(NAME)
        return None if given is None or given < 0 else float(given)


class Robots:
    """The robots.txt of sites, in memory and in files; ``clock`` is Unix time."""

    def __init__(self, kept: FileCache, clock: Callable[[], float] = time.time) -> None:
        self._kept = kept
        self._clock = clock
        self._known: dict[str, Rules] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def rules(self, target: Target, ask: Ask, patience: float) -> Rules:
        """The rules of the target's site; ``ask`` is called where they are not known, or too old.

        One thread asks, the others wait ``patience`` seconds for it. Raises NotOurTurn when that is too short, and
        what ``ask`` raises, unless an older robots.txt is known.
        """
        site = f"{target.scheme}://{target.authority}"
        known = self._known.get(site)
        if known is not None and self._clock() < known.until:
            return known
        lock = self._lock_of(site)
        if not lock.acquire(timeout=patience):
            raise NotOurTurn(f"the robots.txt of {target.authority} is being asked for", SOON)
        try:
            known = self._known.get(site)
            if known is None or self._clock() >= known.until:
                known = self._known[site] = self._found(site, ask)
            return known
        finally:
            lock.release()

    def _found(self, site: str, ask: Ask) -> Rules:
        kept = self._read(site)
        now = self._clock()
        if kept is not None and now - FRESH_SECONDS < kept[0] <= now:
            return Rules(Protego.parse(kept[1]), kept[0] + FRESH_SECONDS)
        try:
            text = ask(f"{site}/robots.txt") or ""
        except AddressUnavailable:
            if kept is None:
                raise
            return Rules(Protego.parse(kept[1]), now + LATER_SECONDS)
        now = self._clock()
        self._kept.set(site, json.dumps({"site": site, "at": now, "text": text}).encode())
        return Rules(Protego.parse(text), now + FRESH_SECONDS)

    def _read(self, site: str) -> tuple[float, str] | None:
        """When the site's robots.txt was kept, and its text."""
        try:
            kept = json.loads(self._kept.get(site) or b"")
            return float(kept["at"]), str(kept["text"])
        except (ValueError, KeyError, TypeError):
            return None

    def _lock_of(self, site: str) -> threading.Lock:
        with self._guard:
            if len(self._known) > MOST_SITES:
                self._known.clear()
            return self._locks.setdefault(site, threading.Lock())
