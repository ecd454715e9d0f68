"""How hosts are asked for photos: those of product databases in turn, by their robots.txt; others as they wish.

Product databases publish no limit for their photos. What a shop's visitor loads with a page is the measure: a few
photos a second, for all workers together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from infra.safe_fetch.addresses import Target
from infra.safe_fetch.fetcher import ASKS_TO_WAIT, AddressBusy, Refused, SafeFetcher
from infra.safe_fetch.policy import FetchPolicy
from infra.settings import Settings
from infra.sources.databases import DATABASES, located
from infra.sources.http_cache import FileCache
from infra.sources.politeness import LeftAlone, Patience, Politeness, user_agent
from infra.sources.robots import SOON, Robots, Rules
from infra.store.rate_limits.repository import HostRecord, Pace, Rest, Turn
from pipeline.domain.errors import AddressUnavailable, NotOurTurn, PermanentFailure
from pipeline.domain.product_source import SourceBusy

PHOTO = "photo"  # the kind of turns
TURN_PATIENCE = 2.0  # seconds; a worker does something else meanwhile if its turn comes later
PORTIONS = 6  # a minute's requests are given in so many parts, so that they do not come all at once
LONG_DOWN = 20  # failures in a row, over hours: photos of such a host are given up like those of other dead addresses
ROBOTS_BYTES = 1_000_000
ROBOTS_CACHE_BYTES = 20_000_000
DISALLOWED = "the host's robots.txt does not allow it"


class PhotoPoliteness:
    """Manners of photo fetches, by the record of turns that all processes share."""

    def __init__(self, settings: Settings, policy: FetchPolicy, record: HostRecord, robots: Robots) -> None:
        """Raises InvalidInput when the settings place a database nowhere."""
        self.record = record
        self.courtesy = Politeness(record)
        self.hosts = frozenset[str]().union(*(located(n, settings.sources_address).image_hosts for n in DATABASES))
        self.headers = {"User-Agent": user_agent(settings.contact)}
        self._settings = settings
        self._policy = policy
        self._robots = robots

    def visit(self, collected: bool) -> Visit:
        """The manners of one fetch; ``collected`` when its address came from a product database."""
        return Visit(self, collected, Patience(TURN_PATIENCE))

    def pace(self, delay: float | None = None) -> Pace:
        """How fast a host may be asked for photos; ``delay`` is the least time between two, by its robots.txt."""
        allowed, minute = self._settings.photo_requests, self._settings.source_minute
        if delay is None:
            most = max(1, allowed // PORTIONS)
            return Pace(most, minute * most / allowed)
        return Pace(1, max(delay, minute / allowed))

    @property
    def minute(self) -> float:
        """Seconds that a host is left alone which is busy and does not say for how long."""
        return self._settings.source_minute

    @property
    def longest(self) -> float:
        """Seconds that a request may take."""
        return self._policy.total_time

    def rules(self, target: Target, patience: Patience) -> Rules:
        """What the target's site allows. AddressUnavailable when its robots.txt cannot be read: nothing is, then."""

        def ask(address: str) -> str | None:
            policy = replace(self._policy, max_bytes=ROBOTS_BYTES)
            unread = f"the robots.txt of {target.authority} cannot be read"
            try:
                found = SafeFetcher(policy, manners=InTurn(self, patience)).fetch(address)
            except Refused as refused:
                if 400 <= refused.status < 500:
                    return None
                raise AddressUnavailable(f"{unread}: {refused}") from refused
            except NotOurTurn:
                raise
            except (AddressUnavailable, PermanentFailure) as failure:
                raise AddressUnavailable(f"{unread}: {failure}") from failure
            return found.content.decode("utf-8-sig", "replace")

        return self._robots.rules(target, ask, patience.left)


@dataclass(frozen=True, slots=True)
class InTurn:
    """Every request waits for its turn at its host, and what becomes of it is noted for everybody."""

    context: PhotoPoliteness
    patience: Patience

    @contextmanager
    def asking(self, target: Target) -> Iterator[Mapping[str, str]]:
        """See ``Manners``."""
        with self.turn(target.authority, self.context.pace()):
            yield self.context.headers

    @contextmanager
    def turn(self, host: str, pace: Pace) -> Iterator[None]:
        """One request inside the ``with``. NotOurTurn when it is to be sent later, or the host asks for that."""
        taken = self._take(host, pace)
        failure: AddressUnavailable | SourceBusy | None = None
        try:
            yield
        except AddressBusy as busy:
            failure = busy
            if busy.status not in ASKS_TO_WAIT:
                raise
            seconds = self.context.minute if busy.retry_after is None else busy.retry_after
            failure = SourceBusy(str(busy), seconds)
            raise NotOurTurn(f"{host} asks to wait: {busy}", self._come_back(host, pace, seconds)) from busy
        except AddressUnavailable as error:
            failure = error
            raise
        finally:
            with suppress(SQLAlchemyError):  # the turn comes back by itself; a photo that is here stays here
                self.context.courtesy.ended(taken, failure)

    def _take(self, host: str, pace: Pace) -> Turn:
        try:
            return self.context.courtesy.take(host, PHOTO, pace, self.context.longest, self.patience)
        except LeftAlone as left:
            if left.failures >= LONG_DOWN:
                raise AddressUnavailable(f"{host} failed {left.failures} times in a row: {left.reason}") from left
            raise NotOurTurn(
                f"{host} is left alone: {left.reason}", self._come_back(host, pace, left.retry_after)
            ) from left
        except SourceBusy as busy:
            turns = f"{host} is asked for at most {pace.most} photos in {pace.window:g} s"
            raise NotOurTurn(turns, self._come_back(host, pace, busy.retry_after)) from busy
        except SQLAlchemyError as error:
            raise NotOurTurn("the record of turns does not answer", SOON) from error

    def _come_back(self, host: str, pace: Pace, seconds: float) -> float:
        try:
            return self.context.courtesy.come_back(host, PHOTO, pace, seconds)
        except SQLAlchemyError:
            return max(seconds, SOON)


@dataclass(frozen=True, slots=True)
class Visit:
    """The manners of one fetch: what is owed to each host that it comes to."""

    context: PhotoPoliteness
    collected: bool
    patience: Patience

    def owes_courtesy(self, target: Target) -> bool:
        """Whether the target's host is to be asked as a product database's is."""
        return self.collected or target.authority in self.context.hosts

    @contextmanager
    def asking(self, target: Target) -> Iterator[Mapping[str, str]]:
        """See ``Manners``. PermanentFailure where the robots.txt of a product database's host forbids it."""
        if not self.owes_courtesy(target):
            with self._as_it_wishes(target.authority):
                yield {}
            return
        rules = self.context.rules(target, self.patience)
        if not rules.allow(target):
            raise PermanentFailure(DISALLOWED)
        with InTurn(self.context, self.patience).turn(target.authority, self.context.pace(rules.delay)):
            yield self.context.headers

    @contextmanager
    def _as_it_wishes(self, host: str) -> Iterator[None]:
        """Any other host is asked at once, unless it has told somebody here when it may be asked again."""
        left = None
        with suppress(SQLAlchemyError):
            left = self.context.record.left_alone(host)
        if left is not None:
            raise AddressUnavailable(f"the host asks to wait: {left.reason}", left.seconds)
        try:
            yield
        except AddressBusy as busy:
            if busy.retry_after:
                with suppress(SQLAlchemyError):
                    self.context.record.wish(host, str(busy), busy.retry_after)
            raise


def photo_manners(settings: Settings, policy: FetchPolicy, engine: Engine) -> PhotoPoliteness:
    """Manners by the settings, with turns in the record behind ``engine``. Nothing is connected to."""
    record = HostRecord(engine, Rest(settings.source_failures, settings.source_rest))
    kept = FileCache(settings.home / "cache" / "robots", ROBOTS_CACHE_BYTES)
    return PhotoPoliteness(settings, policy, record, Robots(kept))
