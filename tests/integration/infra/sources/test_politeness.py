"""Permits are waited for within a budget; twenty threads with wrong clocks keep the limits of a real host."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

from infra.sources import politeness
from infra.sources.open_food_facts import OpenFoodFacts
from infra.sources.politeness import SEND_WITHIN, HostPaused, Politeness, WaitBudget, WaitTooLong
from infra.store.host_rate_limits import HostRateLimiter, PausePolicy, Permit, RateLimit, RetryLater
from pipeline.domain.errors import AddressUnavailable
from pipeline.domain.product_source import ProductQuery, QueryKind, SourceBusy
from tests.integration.infra.sources.database_server import DatabaseServer

LIMIT = RateLimit(1, 30.0)


def test_twenty_workers_with_wrong_clocks_keep_the_limits_of_a_real_host(
    shop: DatabaseServer, source_of: Callable[..., OpenFoodFacts], monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = time.time, threading.local()
    monkeypatch.setattr(time, "time", lambda: right() + getattr(wrong, "seconds", 0.0))
    seconds = 6 * shop.limits.window
    end = time.monotonic() + seconds
    errors: list[Exception] = []

    def work(number: int) -> None:
        wrong.seconds = 7200.0 * (number - 10)
        query = (
            ProductQuery(QueryKind.BARCODES, "2000000010014") if number % 2 else ProductQuery(QueryKind.TEXT, "brut")
        )
        source = source_of()
        while time.monotonic() < end:
            try:
                source.page(query, None)
            except Exception as error:  # noqa: BLE001 - asserted on below, in the test's own thread
                errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    # Twenty threads on a few cores; without limits there would be hundreds of requests.
    assert len(shop.asked("search")) >= 0.2 * 10 * seconds / shop.limits.window
    assert len(shop.asked("read")) >= 0.2 * 15 * seconds / shop.limits.window
    assert not shop.limits.violations


def test_a_wait_above_the_budget_is_refused_with_its_reason(engine: Engine) -> None:
    polite = Politeness(HostRateLimiter(engine, PausePolicy(failures=1, first=600.0)))
    permit = polite.acquire("slow.example", "photo", LIMIT, 1.0, WaitBudget(0.0))
    polite.record(permit)
    with pytest.raises(WaitTooLong, match=r"at most 1 requests? \(photo\) in 30 s") as busy:
        polite.acquire("slow.example", "photo", LIMIT, 1.0, WaitBudget(5.0))
    assert busy.type is WaitTooLong
    assert 25.0 < busy.value.retry_after <= 31.0


def test_a_failed_request_pauses_its_host_for_all_kinds(engine: Engine) -> None:
    polite = Politeness(HostRateLimiter(engine, PausePolicy(failures=1, first=600.0)))
    permit = polite.acquire("slow.example", "search", LIMIT, 1.0, WaitBudget(0.0))
    polite.record(permit, AddressUnavailable("it is down"))
    with pytest.raises(HostPaused, match="paused: it is down") as paused:
        polite.acquire("slow.example", "read", LIMIT, 1.0, WaitBudget(5.0))
    assert (paused.value.reason, paused.value.failures) == ("it is down", 1)


def test_waits_use_up_the_budget_and_long_ones_are_reported() -> None:
    slept: list[float] = []
    reported: list[str] = []
    budget = WaitBudget(10.0, reported.append, slept.append)
    budget.wait(1.0, "short")
    budget.wait(6.0, "the host is busy")
    assert (slept, reported) == ([1.0, 6.0], ["waiting 6 s: the host is busy"])
    with pytest.raises(WaitTooLong, match="the host is busy; to be asked again in 4 s") as busy:
        budget.wait(3.5, "the host is busy")
    assert busy.value.retry_after == 3.5
    budget.wait(3.0, "the rest")


def test_a_permit_is_released_when_the_response_begins(engine: Engine) -> None:
    now = 1_000_000.0
    limiter = HostRateLimiter(engine, clock=lambda: now)
    polite = Politeness(limiter)
    permit = polite.acquire("slow.example", "photo", LIMIT, 100.0, WaitBudget(0.0))
    polite.response_begun(permit)
    now += 30.1  # the window is over, but not yet the margin for the host's clock
    assert isinstance(limiter.acquire("slow.example", "photo", LIMIT, 1.0), RetryLater)
    now += 0.4
    assert isinstance(limiter.acquire("slow.example", "photo", LIMIT, 1.0), Permit)


def test_a_permit_holds_for_the_time_to_send_and_to_respond(engine: Engine) -> None:
    now = 1_000_000.0
    limiter = HostRateLimiter(engine, clock=lambda: now)
    Politeness(limiter).acquire("slow.example", "photo", LIMIT, 100.0, WaitBudget(0.0))
    now += 100.0 + SEND_WITHIN + 30.0
    assert isinstance(limiter.acquire("slow.example", "photo", LIMIT, 1.0), RetryLater)
    now += 0.4
    assert isinstance(limiter.acquire("slow.example", "photo", LIMIT, 1.0), Permit)


def test_a_permit_that_came_late_is_not_used(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was held up between taking a slot and sending may no longer use it."""
    times = iter([0.0, SEND_WITHIN + 1.0, 10.0, 10.1])
    monkeypatch.setattr(politeness, "time", SimpleNamespace(monotonic=lambda: next(times)))
    two = RateLimit(2, 30.0)
    permit = Politeness(HostRateLimiter(engine)).acquire("slow.example", "photo", two, 1.0, WaitBudget(0.0))
    monkeypatch.undo()
    assert permit.number in {1, 2}
    assert isinstance(HostRateLimiter(engine).acquire("slow.example", "photo", two, 1.0), RetryLater)


def test_the_time_to_ask_again_is_said_once(
    source_of: Callable[..., OpenFoodFacts], shop: DatabaseServer, engine: Engine
) -> None:
    limiter = HostRateLimiter(engine)
    permit = limiter.acquire(shop.address.partition("//")[2], "search", RateLimit(10, 60.0), 1.0)
    assert isinstance(permit, Permit)
    limiter.failed(permit, "it answers 503", retry_after=90.0)
    with pytest.raises(SourceBusy) as busy:
        source_of(patience=5.0).page(ProductQuery(QueryKind.CATEGORY, "champagnes"), None)
    assert re.search(r"paused: it answers 503; to be asked again in \d+ s$", str(busy.value))
    assert str(busy.value).count("again") == 1
