"""Courtesy towards hosts: no request before its turn, and none while a host is to be left alone."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from infra.safe_fetch.fetcher import AddressBusy
from infra.store.rate_limits.repository import LONGEST_QUEUE, HostRecord, NotYet, Pace, Turn
from pipeline.domain.errors import AddressUnavailable
from pipeline.domain.product_source import SourceBusy

SEND_WITHIN = 5.0  # a turn that was not used by then is not used at all
SHARE_MORE = 0.01  # clocks of hosts tick a little differently
WORTH_TELLING = 2.0
SHORTEST_WAIT = 0.002


def user_agent(contact: str) -> str:
    """Who is asking, as product databases wish to be told: program, version, and whom to write to."""
    return f"Rayon/{_version()} ({contact.strip() or 'product categoriser; no contact was given'})"


@cache
def _version() -> str:
    try:
        return version("rayon")
    except PackageNotFoundError:  # run from a checkout
        return "0"


class TooLong(SourceBusy):
    """The wait is longer than patience: its words say when to ask again."""


class Patience:
    """How long one call may wait in all, for turns and for hosts; ``tell`` is told what for."""

    def __init__(
        self,
        seconds: float,
        tell: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.left = seconds
        self._tell = tell
        self._sleep = sleep

    def wait(self, seconds: float, why: str) -> None:
        """Wait, or raise TooLong when that is longer than the patience that is left."""
        if seconds > self.left:
            raise TooLong(f"{why}; to be asked again in {seconds:.0f} s", seconds)
        if self._tell and seconds >= WORTH_TELLING:
            self._tell(f"waiting {seconds:.0f} s: {why}")
        self.left -= seconds
        self._sleep(seconds)


class LeftAlone(TooLong):
    """The host is left alone for this ``reason``, after so many ``failures`` in a row."""

    def __init__(self, message: str, retry_after: float, reason: str, failures: int) -> None:
        super().__init__(message, retry_after)
        self.reason = reason
        self.failures = failures


class Politeness:
    """Turns of requests to hosts, by the record that all processes share."""

    def __init__(self, record: HostRecord) -> None:
        self._record = record

    def take(self, host: str, kind: str, pace: Pace, longest: float, patience: Patience) -> Turn:
        """Wait for leave to send one request, which may last ``longest`` seconds until its answer begins.

        Raises SourceBusy when the turn comes later than patience lasts, LeftAlone when that is the host's doing.
        """
        pace = _shared(pace)
        while True:
            begun = time.monotonic()
            found = self._record.take(host, kind, pace, SEND_WITHIN + longest)
            if isinstance(found, NotYet):
                why = f"{host} is left alone: {found.reason}" if found.reason else _courtesy(host, kind, pace)
                # All who wait for the same slot look again at slightly different times.
                seconds = found.seconds + SHORTEST_WAIT + random.random() * min(0.02, pace.window / 50)
                try:
                    patience.wait(seconds, why)
                except TooLong as busy:
                    if found.reason is None:
                        raise
                    raise LeftAlone(str(busy), busy.retry_after, found.reason, found.failures) from None
            elif time.monotonic() - begun <= SEND_WITHIN:
                return found
            # Else this process was held up for seconds: others count on a turn being used soon, or not at all.

    def come_back(self, host: str, kind: str, pace: Pace, seconds: float) -> float:
        """For one whose turn comes in ``seconds`` at the earliest: after how many to ask again, behind all others."""
        wait = self._record.queue(host, kind, _shared(pace), seconds)
        return wait * random.uniform(0.9, 1.0) if wait >= LONGEST_QUEUE > seconds else wait

    def arrived(self, turn: Turn) -> None:
        """The answer has begun, so the request has arrived."""
        self._record.give_back(turn)

    def ended(self, turn: Turn, failure: AddressUnavailable | SourceBusy | None = None) -> None:
        """How it ended, noted for everybody: the host answered, or this is its failure."""
        if failure is None:
            self._record.answered(turn)
            return
        asked = failure.retry_after if isinstance(failure, AddressBusy | SourceBusy) else None
        self._record.failed(turn, str(failure), asked)

    @contextmanager
    def turn(self, host: str, kind: str, pace: Pace, longest: float, patience: Patience) -> Iterator[None]:
        """One whole request inside the ``with``; AddressUnavailable and SourceBusy are failures of the host."""
        taken = self.take(host, kind, pace, longest, patience)
        failure: AddressUnavailable | SourceBusy | None = None
        try:
            yield
        except (AddressUnavailable, SourceBusy) as error:
            failure = error
            raise
        finally:
            self.ended(taken, failure)


def _shared(pace: Pace) -> Pace:
    return Pace(pace.most, pace.window * (1 + SHARE_MORE))


def _courtesy(host: str, kind: str, pace: Pace) -> str:
    return f"{host} gets at most {pace.most} requests ({kind}) in {pace.window:.0f} s"
