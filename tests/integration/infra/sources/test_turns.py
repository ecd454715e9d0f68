"""No host is ever asked above its limits: twenty workers by a clock of the test's own, and twenty for real."""

from __future__ import annotations

import heapq
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from infra.sources.open_food_facts import OpenFoodFacts
from infra.sources.politeness import Patience, Politeness
from infra.store.rate_limits.repository import HostRecord, NotYet, Pace, Rest, Turn
from pipeline.domain.errors import AddressUnavailable
from pipeline.domain.product_source import ProductQuery, QueryKind, SourceBusy
from tests.integration.infra.sources.shop_server import ShopServer

SEARCH, READ = Pace(10, 60.0), Pace(15, 60.0)
LONGEST = 40.0


class Simulation:
    """Workers that ask hosts again and again; time is a number. What arrives where is written down."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.now = 1_000_000.0
        self.record = HostRecord(engine, clock=lambda: self.now)
        self.record_of: Callable[[int], HostRecord] = lambda worker: self.record
        self.rng = random.Random(seed)
        self.arrivals: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.lost = 0
        self.unsent = 0

    def run(
        self, workers: int, seconds: float, delay: Callable[[], float], dying: float = 0.0, before: float = 0.0
    ) -> None:
        """``dying`` is the share of those who die once they have sent, ``before`` of those who die just before."""
        events: list[tuple[float, int, Turn | None]] = [(self.now, worker, None) for worker in range(workers)]
        end = self.now + seconds
        while events:
            self.now, worker, answered = heapq.heappop(events)
            if self.now > end:
                return
            if answered is not None:
                self.record_of(worker).answered(answered)
            found = self._take(worker)
            if isinstance(found, NotYet):
                heapq.heappush(events, (self.now + found.seconds + 0.002 + 0.02 * self.rng.random(), worker, None))
                continue
            if self.rng.random() < before:
                self.unsent += 1
                heapq.heappush(events, (self.now, worker, None))
                continue
            arrived = self.now + delay()
            self.arrivals[found.host, found.kind].append(arrived)
            if self.rng.random() < dying:  # its place is taken by another, which knows nothing of it
                self.lost += 1
                heapq.heappush(events, (arrived, worker, None))
            else:
                heapq.heappush(events, (arrived + 0.05 + 0.2 * self.rng.random(), worker, found))

    def _take(self, worker: int) -> Turn | NotYet:
        kind, pace = ("search", SEARCH) if worker % 2 else ("read", READ)
        return self.record_of(worker).take("world.example", kind, pace, LONGEST)

    def most_in_a_minute(self, kind: str) -> int:
        times = sorted(self.arrivals["world.example", kind])
        return max(sum(1 for t in times if start <= t < start + 60.0) for start in times)


def test_twenty_workers_never_exceed_the_limits_and_are_hardly_slower(engine: Engine) -> None:
    simulation = Simulation(engine, seed=1)
    minutes = 6
    simulation.run(20, 60.0 * minutes, delay=lambda: 0.02 + 0.3 * simulation.rng.random())
    for kind, pace in (("search", SEARCH), ("read", READ)):
        assert simulation.most_in_a_minute(kind) == pace.most
        assert len(simulation.arrivals["world.example", kind]) >= 0.97 * pace.most * minutes


def test_late_arrivals_and_dead_workers_do_not_bring_the_limits_down(engine: Engine) -> None:
    simulation = Simulation(engine, seed=2)
    simulation.run(20, 60.0 * 8, delay=lambda: simulation.rng.choice((0.01, 0.5, 8.0, 39.0)), dying=0.1)
    assert simulation.lost > 5
    for kind, pace in (("search", SEARCH), ("read", READ)):
        assert simulation.most_in_a_minute(kind) <= pace.most
        assert len(simulation.arrivals["world.example", kind]) > 2 * pace.most


def test_workers_that_die_with_a_turn_in_hand_cost_their_turn_and_nothing_else(engine: Engine) -> None:
    simulation = Simulation(engine, seed=3)
    simulation.run(20, 60.0 * 6, delay=lambda: 0.3 * simulation.rng.random(), before=0.1)
    assert simulation.unsent > 10
    for kind, pace in (("search", SEARCH), ("read", READ)):
        assert simulation.most_in_a_minute(kind) <= pace.most
        assert len(simulation.arrivals["world.example", kind]) > 0.7 * 6 * pace.most
    # What nobody gave back is free again by itself.
    simulation.now += LONGEST + 60.0
    turns = [simulation.record.take("world.example", "search", SEARCH, LONGEST) for _ in range(SEARCH.most)]
    assert all(isinstance(turn, Turn) for turn in turns)


def test_the_simulation_sees_it_when_every_worker_goes_by_its_own_clock(engine: Engine) -> None:
    """Clocks of workers are wrong by up to two minutes; that is why only the record's own counts."""
    simulation = Simulation(engine, seed=4)

    def by_its_own(wrong: float) -> HostRecord:
        return HostRecord(engine, clock=lambda: simulation.now + wrong)

    simulation.record_of = [by_its_own(simulation.rng.uniform(-120.0, 120.0)) for _ in range(20)].__getitem__
    simulation.run(20, 60.0 * 3, delay=lambda: 0.3 * simulation.rng.random())
    assert simulation.most_in_a_minute("search") > SEARCH.most


def test_the_simulation_sees_it_when_turns_are_given_by_the_time_of_sending(engine: Engine) -> None:
    """The same workers, with slots that become free a minute after they were taken, as most limiters do."""
    simulation = Simulation(engine, seed=2)
    simulation.record.answered = lambda turn: None  # type: ignore[method-assign]
    taking = simulation.record.take
    simulation.record.take = lambda *given: taking(*given[:3], 0.0)  # type: ignore[method-assign, call-arg]
    simulation.run(20, 60.0 * 5, delay=lambda: simulation.rng.choice((0.01, 0.5, 8.0, 39.0)))
    assert simulation.most_in_a_minute("search") > SEARCH.most


def test_twenty_workers_with_wrong_clocks_ask_a_real_host(
    shop: ShopServer, source_of: Callable[..., OpenFoodFacts], monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = time.time, threading.local()
    monkeypatch.setattr(time, "time", lambda: right() + getattr(wrong, "seconds", 0.0))
    seconds = 6 * shop.limits.window
    end = time.monotonic() + seconds
    troubles: list[Exception] = []

    def work(number: int) -> None:
        wrong.seconds = 7200.0 * (number - 10)
        query = (
            ProductQuery(QueryKind.BARCODES, "2000000010014") if number % 2 else ProductQuery(QueryKind.TEXT, "brut")
        )
        source = source_of()
        while time.monotonic() < end:
            try:
                source.page(query, None)
            except Exception as error:
                troubles.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    # Twenty threads on the cores of whoever runs this; without turns it would be hundreds.
    assert len(shop.asked("search")) >= 0.2 * 10 * seconds / shop.limits.window
    assert len(shop.asked("read")) >= 0.2 * 15 * seconds / shop.limits.window
    assert not shop.limits.violations


def test_a_host_that_fails_again_and_again_is_left_alone_by_all(engine: Engine) -> None:
    now = 1_000_000.0
    rest = Rest(failures=3, first=60.0, longest=200.0)
    one, other = (HostRecord(engine, rest, clock=lambda: now) for _ in range(2))

    def fails(record: HostRecord) -> None:
        turn = record.take("down.example", "search", SEARCH, 1.0)
        assert isinstance(turn, Turn)
        record.failed(turn, "no answer")

    fails(one), fails(other)
    still_asked = one.take("down.example", "search", SEARCH, 1.0)
    assert isinstance(still_asked, Turn)
    one.failed(still_asked, "no answer")
    alone = other.take("down.example", "read", READ, 1.0)
    assert isinstance(alone, NotYet)
    assert (round(alone.seconds), alone.reason) == (60, "no answer")
    assert isinstance(other.take("up.example", "read", READ, 1.0), Turn)

    now += 60.0
    probe = one.take("down.example", "search", SEARCH, 1.0)
    assert isinstance(probe, Turn)
    assert probe.probe
    assert isinstance(other.take("down.example", "search", SEARCH, 1.0), NotYet)  # one tries it, not all
    one.failed(probe, "no answer")
    assert round(_wait(other)) == 120
    now += 120.0
    again = other.take("down.example", "search", SEARCH, 1.0)
    assert isinstance(again, Turn)
    other.answered(again)
    assert isinstance(one.take("down.example", "search", SEARCH, 1.0), Turn)


def test_a_probe_that_dies_does_not_shut_the_host_for_good(engine: Engine) -> None:
    now = 1_000_000.0
    record = HostRecord(engine, Rest(failures=1, first=60.0), clock=lambda: now)
    turn = record.take("down.example", "search", SEARCH, 1.0)
    assert isinstance(turn, Turn)
    record.failed(turn, "no answer")
    now += 60.0
    assert isinstance(record.take("down.example", "search", SEARCH, 1.0), Turn)
    now += 61.1
    assert isinstance(record.take("down.example", "search", SEARCH, 1.0), Turn)


def test_what_a_host_asks_for_holds_for_everybody_and_an_older_answer_does_not_end_it(engine: Engine) -> None:
    now = 1_000_000.0
    record = HostRecord(engine, clock=lambda: now)
    earlier = record.take("down.example", "read", READ, 1.0)
    turn = record.take("down.example", "search", SEARCH, 1.0)
    assert isinstance(earlier, Turn)
    assert isinstance(turn, Turn)
    record.failed(turn, "503", retry_after=90.0)
    record.answered(earlier)
    assert round(_wait(record)) == 90


def test_a_turn_that_comes_too_late_is_told(engine: Engine) -> None:
    courtesy = Politeness(HostRecord(engine, Rest(failures=1, first=600.0)))
    pace = Pace(1, 30.0)
    with courtesy.turn("slow.example", "photo", pace, 1.0, Patience(0.0)):
        pass
    with pytest.raises(SourceBusy, match=r"at most 1 requests? \(photo\) in 30 s") as busy:
        courtesy.take("slow.example", "photo", pace, 1.0, Patience(5.0))
    assert 25.0 < busy.value.retry_after <= 31.0
    with pytest.raises(AddressUnavailable), courtesy.turn("slow.example", "search", pace, 1.0, Patience(0.0)):
        raise AddressUnavailable("it is down")
    with pytest.raises(SourceBusy, match="left alone: it is down"):
        courtesy.take("slow.example", "read", pace, 1.0, Patience(5.0))


def test_how_long_is_told_once(source_of: Callable[..., OpenFoodFacts], shop: ShopServer, engine: Engine) -> None:
    record = HostRecord(engine)
    turn = record.take(shop.address.partition("//")[2], "search", SEARCH, 1.0)
    assert isinstance(turn, Turn)
    record.failed(turn, "it answers 503", retry_after=90.0)
    with pytest.raises(SourceBusy) as busy:
        source_of(patience=5.0).page(ProductQuery(QueryKind.CATEGORY, "champagnes"), None)
    assert re.search(r"left alone: it answers 503; to be asked again in \d+ s$", str(busy.value))
    assert str(busy.value).count("again") == 1


def _wait(record: HostRecord) -> float:
    found = record.take("down.example", "read", READ, 1.0)
    assert isinstance(found, NotYet)
    return found.seconds
