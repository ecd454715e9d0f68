"""What is purged of hosts: turns and health of those that nobody has asked for long, whatever they were."""

from __future__ import annotations

import time

from sqlalchemy import Engine, text

from infra.settings import Settings
from infra.store import retention
from infra.store.rate_limits.repository import HostRateLimiter, PausePolicy, Permit, RateLimit, RetryLater

DAY = 86_400.0
LIMIT = RateLimit(2, 60.0)
DAYS = {name: getattr(Settings(database_url="postgresql://"), name) for name in retention.SETTINGS}


def test_hosts_that_nobody_has_asked_for_a_month_are_forgotten(engine: Engine) -> None:
    now = time.time()

    def ask(host: str, days: float, *, fails: bool = False, answers: bool = False) -> None:
        limiter = HostRateLimiter(engine, PausePolicy(failures=1, first=60.0), clock=lambda: now - days * DAY)
        permit = limiter.acquire(host, "search", LIMIT, 30.0)
        assert isinstance(permit, Permit)
        if fails:
            limiter.failed(permit, "it is out of order")
        if answers:
            limiter.succeeded(permit)

    ask("old", 31)
    ask("old-and-broken", 31, fails=True)
    ask("rare", 29)
    ask("broken", 29, fails=True)
    ask("used", 31)
    ask("used", 0)
    ask("mended", 29, fails=True)
    ask("mended", 28, answers=True)
    HostRateLimiter(engine).pause("shy", "robots.txt", 60 * DAY)
    assert DAYS["keep_hosts"] == 30
    purged = retention.purge(engine, DAYS)
    assert (purged["host_slots"], purged["host_health"]) == (4, 2)

    def hosts(table: str) -> list[str]:
        with engine.connect() as connection:
            return list(connection.scalars(text(f"SELECT DISTINCT host FROM {table} ORDER BY host")))

    assert hosts("host_slots") == ["broken", "mended", "rare", "used"]
    assert hosts("host_health") == ["broken", "shy"]
    # Whoever comes back is asked within its limits, as one that was never met.
    limiter = HostRateLimiter(engine)
    assert [type(limiter.acquire("old", "search", LIMIT, 30.0)) for _ in range(3)] == [Permit, Permit, RetryLater]
