"""Rate limits of hosts: twenty workers by a simulated clock never exceed them; hosts that fail are paused for all."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, text

from infra.store.host_rate_limits import MAX_QUEUE_DELAY, HostRateLimiter, PausePolicy, Permit, RateLimit, RetryLater

HOST = "world.example"
SEARCH, READ = RateLimit(10, 60.0), RateLimit(15, 60.0)
LONGEST = 40.0


class Clock:
    """A clock that a test moves, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Simulation:
    """Workers that send requests again and again; time is a number, and what arrives where is recorded."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.clock = Clock()
        self.limiter = HostRateLimiter(engine, clock=self.clock)
        self.limiter_of: Callable[[int], HostRateLimiter] = lambda _worker: self.limiter
        self.rng = random.Random(seed)
        self.arrivals: dict[str, list[float]] = defaultdict(list)
        self.lost = 0
        self.unsent = 0

    def run(
        self, workers: int, seconds: float, delay: Callable[[], float], *, dying: float = 0.0, before: float = 0.0
    ) -> None:
        """``dying`` is the share of workers that die once they have sent, ``before`` of those that die just before."""
        events: list[tuple[float, int, Permit | None]] = [(self.clock.now, worker, None) for worker in range(workers)]
        end = self.clock.now + seconds
        while events:
            self.clock.now, worker, answered = heapq.heappop(events)
            if self.clock.now > end:
                return
            if answered is not None:
                self.limiter_of(worker).succeeded(answered)
            found = self._acquire(worker)
            if isinstance(found, RetryLater):
                again = self.clock.now + found.seconds + 0.002 + 0.02 * self.rng.random()
                heapq.heappush(events, (again, worker, None))
                continue
            if self.rng.random() < before:
                self.unsent += 1
                heapq.heappush(events, (self.clock.now, worker, None))
                continue
            arrived = self.clock.now + delay()
            self.arrivals[found.kind].append(arrived)
            if self.rng.random() < dying:  # another worker takes its place, and knows nothing of its permit
                self.lost += 1
                heapq.heappush(events, (arrived, worker, None))
            else:
                heapq.heappush(events, (arrived + 0.05 + 0.2 * self.rng.random(), worker, found))

    def _acquire(self, worker: int) -> Permit | RetryLater:
        kind, limit = ("search", SEARCH) if worker % 2 else ("read", READ)
        return self.limiter_of(worker).acquire(HOST, kind, limit, LONGEST)

    def most_in_a_minute(self, kind: str) -> int:
        times = sorted(self.arrivals[kind])
        return max(sum(1 for t in times if start <= t < start + 60.0) for start in times)


def permit(limiter: HostRateLimiter, kind: str = "search", limit: RateLimit = SEARCH, longest: float = 1.0) -> Permit:
    found = limiter.acquire(HOST, kind, limit, longest)
    assert isinstance(found, Permit)
    return found


def refusal(
    limiter: HostRateLimiter, kind: str = "search", limit: RateLimit = SEARCH, longest: float = 1.0
) -> RetryLater:
    found = limiter.acquire(HOST, kind, limit, longest)
    assert isinstance(found, RetryLater)
    return found


def test_twenty_workers_never_exceed_the_limits_and_are_hardly_slower(engine: Engine) -> None:
    simulation = Simulation(engine, seed=1)
    minutes = 6
    simulation.run(20, 60.0 * minutes, delay=lambda: 0.02 + 0.3 * simulation.rng.random())
    for kind, limit in (("search", SEARCH), ("read", READ)):
        assert simulation.most_in_a_minute(kind) == limit.requests
        assert len(simulation.arrivals[kind]) >= 0.97 * limit.requests * minutes


def test_late_arrivals_and_dead_workers_do_not_break_the_limits(engine: Engine) -> None:
    simulation = Simulation(engine, seed=2)
    simulation.run(20, 60.0 * 8, delay=lambda: simulation.rng.choice((0.01, 0.5, 8.0, 39.0)), dying=0.1)
    assert simulation.lost > 5
    for kind, limit in (("search", SEARCH), ("read", READ)):
        assert simulation.most_in_a_minute(kind) <= limit.requests
        assert len(simulation.arrivals[kind]) > 2 * limit.requests


def test_a_worker_that_dies_with_a_permit_costs_that_permit_and_nothing_else(engine: Engine) -> None:
    simulation = Simulation(engine, seed=3)
    simulation.run(20, 60.0 * 6, delay=lambda: 0.3 * simulation.rng.random(), before=0.1)
    assert simulation.unsent > 10
    for kind, limit in (("search", SEARCH), ("read", READ)):
        assert simulation.most_in_a_minute(kind) <= limit.requests
        assert len(simulation.arrivals[kind]) > 0.7 * 6 * limit.requests
    # Slots that were never released are free again by themselves.
    simulation.clock.now += LONGEST + 60.0
    for _ in range(SEARCH.requests):
        permit(simulation.limiter, longest=LONGEST)


def test_the_simulation_notices_when_every_worker_goes_by_its_own_clock(engine: Engine) -> None:
    """Clocks of workers are wrong by up to two minutes, which is why only Postgres's clock counts."""
    simulation = Simulation(engine, seed=4)

    def by_its_own(wrong: float) -> HostRateLimiter:
        return HostRateLimiter(engine, clock=lambda: simulation.clock.now + wrong)

    simulation.limiter_of = [by_its_own(simulation.rng.uniform(-120.0, 120.0)) for _ in range(20)].__getitem__
    simulation.run(20, 60.0 * 3, delay=lambda: 0.3 * simulation.rng.random())
    assert simulation.most_in_a_minute("search") > SEARCH.requests


def test_the_simulation_notices_when_slots_become_free_by_the_time_of_sending(engine: Engine) -> None:
    """The same workers, with slots that become free a minute after they were taken, as in most limiters."""

    class BySending(HostRateLimiter):
        def succeeded(self, permit: Permit) -> None:
            """Releases nothing."""

        def acquire(self, host: str, kind: str, limit: RateLimit, longest: float) -> Permit | RetryLater:
            return super().acquire(host, kind, limit, 0.0 * longest)

    simulation = Simulation(engine, seed=2)
    simulation.limiter = BySending(engine, clock=simulation.clock)
    simulation.run(20, 60.0 * 5, delay=lambda: simulation.rng.choice((0.01, 0.5, 8.0, 39.0)))
    assert simulation.most_in_a_minute("search") > SEARCH.requests


@pytest.mark.parametrize("ending", ["released", "succeeded", "failed"])
def test_a_late_release_does_not_shorten_the_hold_of_the_next_permit(engine: Engine, clock: Clock, ending: str) -> None:
    """A response that comes after its slot ran out leaves the slot to the request that has it now."""
    limiter, one = HostRateLimiter(engine, clock=clock), RateLimit(1, 60.0)
    late = permit(limiter, limit=one, longest=LONGEST)
    clock.now += LONGEST + 60.0
    permit(limiter, limit=one, longest=LONGEST)
    clock.now += 1.0
    if ending == "released":
        limiter.release(late)
    elif ending == "succeeded":
        limiter.succeeded(late)
    else:
        limiter.failed(late, "no answer")
    clock.now += 60.0  # the late release, one window ago, would have made the slot free now
    assert round(refusal(limiter, limit=one).seconds) == round(LONGEST - 1.0)


def test_a_success_releases_its_slot(engine: Engine, clock: Clock) -> None:
    limiter, one = HostRateLimiter(engine, clock=clock), RateLimit(1, 60.0)
    limiter.succeeded(permit(limiter, limit=one, longest=1000.0))
    clock.now += 60.0
    permit(limiter, limit=one)


def test_a_release_touches_its_own_slot_only(engine: Engine, clock: Clock) -> None:
    limiter, two = HostRateLimiter(engine, clock=clock), RateLimit(2, 60.0)
    first = permit(limiter, limit=two, longest=LONGEST)
    permit(limiter, limit=two, longest=LONGEST)
    limiter.release(first)
    clock.now += 60.0
    assert permit(limiter, limit=two).number == first.number
    assert round(refusal(limiter, limit=two).seconds) == round(LONGEST)


def test_a_slot_that_another_process_is_taking_is_passed_over(engine: Engine, clock: Clock, database_url: str) -> None:
    impatient = create_engine(database_url, connect_args={"options": "-c lock_timeout=1000"}, poolclass=NullPool)
    limiter, two = HostRateLimiter(impatient, clock=clock), RateLimit(2, 60.0)
    permit(limiter, limit=two)
    clock.now += 120.0  # both slots are free
    with engine.begin() as other:
        taken = other.execute(
            text("UPDATE host_slots SET free_at = to_timestamp(0) WHERE number = 1 AND host = :host RETURNING number"),
            {"host": HOST},
        ).scalar_one()
        assert permit(limiter, limit=two).number != taken
        assert refusal(limiter, limit=two).seconds == 0.0  # the other process may still give it up


def test_kinds_and_hosts_have_slots_of_their_own(engine: Engine, clock: Clock) -> None:
    limiter, one = HostRateLimiter(engine, clock=clock), RateLimit(1, 60.0)
    permit(limiter, "search", one)
    permit(limiter, "read", one)
    assert isinstance(limiter.acquire("other.example", "search", one, 1.0), Permit)
    assert refusal(limiter, "search", one).reason is None


def test_a_free_slot_of_another_kind_is_not_taken(engine: Engine, clock: Clock) -> None:
    limiter, one = HostRateLimiter(engine, clock=clock), RateLimit(1, 60.0)
    permit(limiter, "search", one, longest=1000.0)
    permit(limiter, "read", one, longest=1.0)
    clock.now += 61.0
    refusal(limiter, "search", one)
    permit(limiter, "read", one)


def test_no_wait_is_longer_than_a_window(engine: Engine, clock: Clock) -> None:
    """A response may begin at any moment, and its slot is free one window later."""
    limiter, one = HostRateLimiter(engine, clock=clock), RateLimit(1, 60.0)
    permit(limiter, limit=one, longest=1000.0)
    assert round(refusal(limiter, limit=one).seconds) == 60


def test_a_lower_limit_holds_at_once(engine: Engine, clock: Clock) -> None:
    limiter = HostRateLimiter(engine, clock=clock)
    for _ in range(2):
        permit(limiter, limit=RateLimit(3, 60.0))
    assert refusal(limiter, limit=RateLimit(2, 60.0)).seconds > 0


def test_a_host_that_fails_again_and_again_is_paused_for_all(engine: Engine, clock: Clock) -> None:
    policy = PausePolicy(failures=3, first=60.0, longest=200.0)
    one, other = (HostRateLimiter(engine, policy, clock=clock) for _ in range(2))
    for _ in range(3):
        one.failed(permit(one), "no answer")
    paused = refusal(other, "read", READ)
    assert (round(paused.seconds), paused.reason, paused.failures) == (60, "no answer", 3)
    assert isinstance(other.acquire("up.example", "read", READ, 1.0), Permit)

    clock.now += 60.0
    probe = permit(one)
    assert probe.probe
    waiting = refusal(other)  # one probes it, not all
    assert (waiting.reason, waiting.failures) == ("no answer", 3)
    one.failed(probe, "no answer")
    assert round(refusal(other, "read").seconds) == 120
    clock.now += 120.0
    other.failed(permit(other), "no answer")
    assert round(refusal(other, "read").seconds) == 200  # the longest
    clock.now += 200.0
    other.succeeded(permit(other))
    assert not permit(one).probe


def test_one_success_ends_the_count_of_failures(engine: Engine, clock: Clock) -> None:
    limiter = HostRateLimiter(engine, PausePolicy(failures=3, first=60.0), clock=clock)
    for _ in range(2):
        limiter.failed(permit(limiter), "no answer")
    limiter.succeeded(permit(limiter))
    for _ in range(2):
        limiter.failed(permit(limiter), "no answer")
    assert not permit(limiter).probe


def test_a_probe_that_dies_does_not_pause_the_host_for_good(engine: Engine, clock: Clock) -> None:
    limiter = HostRateLimiter(engine, PausePolicy(failures=1, first=60.0), clock=clock)
    limiter.failed(permit(limiter), "no answer")
    clock.now += 60.0
    permit(limiter)
    assert refusal(limiter).reason == "no answer"
    clock.now += 61.1
    assert permit(limiter).probe


def test_two_processes_that_see_the_end_of_a_pause_at_once_send_one_probe(
    engine: Engine, clock: Clock, database_url: str
) -> None:
    policy = PausePolicy(failures=1, first=60.0)
    quick, slow_engine = HostRateLimiter(engine, policy, clock=clock), create_engine(database_url, poolclass=NullPool)
    slow, two = HostRateLimiter(slow_engine, policy, clock=clock), RateLimit(2, 60.0)
    quick.failed(permit(quick, limit=two), "no answer")
    clock.now += 60.0
    probes: list[Permit] = []

    def meanwhile(*arguments: object) -> None:
        """The quick process claims the probe after the slow one has read the host's health, and before its claim."""
        if "failures >= " in str(arguments[2]) and not probes:
            probes.append(permit(quick, limit=two))

    event.listen(slow_engine, "before_cursor_execute", meanwhile)
    waiting = refusal(slow, limit=two)
    assert (len(probes), waiting.reason) == (1, "no answer")
    quick.succeeded(probes[0])
    permit(quick, limit=two)  # the slow process has given its slot back
    slow_engine.dispose()


def test_a_failed_probe_ends_its_own_hold(engine: Engine, clock: Clock) -> None:
    limiter = HostRateLimiter(engine, PausePolicy(failures=1, first=60.0), clock=clock)
    limiter.failed(permit(limiter), "no answer")
    clock.now += 60.0
    limiter.failed(permit(limiter, longest=1000.0), "no answer")
    assert round(refusal(limiter).seconds) == 120


def test_a_later_failure_does_not_shorten_a_pause(engine: Engine, clock: Clock) -> None:
    limiter = HostRateLimiter(engine, clock=clock)
    earlier = permit(limiter, "read", READ)
    limiter.failed(permit(limiter), "503", retry_after=90.0)
    limiter.failed(earlier, "no answer")
    paused = refusal(limiter)
    assert (round(paused.seconds), paused.reason) == (90, "no answer")


def test_a_probe_without_a_slot_is_left_to_the_next(engine: Engine, clock: Clock) -> None:
    """While another request holds the probe, no slot is used up."""
    limiter, two = HostRateLimiter(engine, PausePolicy(failures=1, first=10.0), clock=clock), RateLimit(2, 60.0)
    limiter.failed(permit(limiter, limit=two), "no answer")
    clock.now += 10.0
    probe = permit(limiter, limit=two)
    clock.now += 50.0  # the first slot is free again
    assert refusal(limiter, limit=two).reason == "no answer"
    limiter.succeeded(probe)
    assert isinstance(limiter.acquire(HOST, "search", two, 1.0), Permit)


def test_a_pause_that_a_host_asks_for_holds_for_all_and_an_older_response_does_not_end_it(
    engine: Engine, clock: Clock
) -> None:
    limiter = HostRateLimiter(engine, clock=clock)
    earlier = permit(limiter, "read", READ)
    limiter.failed(permit(limiter), "503", retry_after=90.0)
    limiter.succeeded(earlier)
    paused = refusal(limiter)
    assert (round(paused.seconds), paused.reason) == (90, "503")
    clock.now += 90.0
    permit(limiter)


def test_the_longer_of_two_pauses_is_kept(engine: Engine, clock: Clock) -> None:
    limiter = HostRateLimiter(engine, clock=clock)
    limiter.pause(HOST, "503", 90.0)
    limiter.pause(HOST, "429", 30.0)
    paused = limiter.pause_of(HOST)
    assert paused is not None
    assert (round(paused.seconds), paused.reason) == (90, "429")
    clock.now += 90.0
    assert limiter.pause_of(HOST) is None
    assert limiter.pause_of("never.asked") is None


def test_the_queue_gives_each_request_a_moment_of_its_own(engine: Engine, clock: Clock) -> None:
    limiter, limit = HostRateLimiter(engine, clock=clock), RateLimit(2, 10.0)
    waits = [limiter.enqueue(HOST, "photo", limit, 10.0) for _ in range(4)]
    assert [round(wait, 3) for wait in waits] == [10.0, 15.0, 20.0, 25.0]
    clock.now += 8.0
    assert round(limiter.enqueue(HOST, "photo", limit, 10.0), 3) == 22.0
    assert round(limiter.enqueue(HOST, "photo", limit, 600.0), 3) == 600.0  # never before the moment it asks for
    assert all(later > earlier for earlier, later in pairwise(waits))


def test_the_queue_ends_after_a_day(engine: Engine, clock: Clock) -> None:
    limiter, limit = HostRateLimiter(engine, clock=clock), RateLimit(1, 50_000.0)
    waits = [limiter.enqueue(HOST, "photo", limit, 1.0) for _ in range(4)]
    assert [round(wait) for wait in waits] == [1, 50_001, MAX_QUEUE_DELAY, MAX_QUEUE_DELAY]
    assert round(limiter.enqueue(HOST, "photo", limit, 2 * MAX_QUEUE_DELAY)) == 2 * MAX_QUEUE_DELAY
