"""What is purged of hosts: turns and health of those that nobody has asked for long, whatever they were."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Engine, text

from infra.settings import Settings
from infra.storage.filesystem import FilesystemStorage
from infra.store.host_rate_limits import HostRateLimiter, PausePolicy, Permit, RateLimit, RetryLater
from infra.store.unit_of_work import units_of_work
from pipeline.domain.retention import ExpiringRows
from pipeline.steps.retention import purge

DAY = 86_400.0
LIMIT = RateLimit(2, 60.0)
POLICY = Settings(database_url="postgresql://").retention_policy()


def test_hosts_that_were_not_asked_for_a_month_are_forgotten(engine: Engine, tmp_path: Path) -> None:
    storage = FilesystemStorage(tmp_path, "http://testserver", "secret")
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
    assert POLICY.days[ExpiringRows.HOST_SLOTS] == POLICY.days[ExpiringRows.HOST_HEALTH] == 30
    purged = purge(units_of_work(engine), storage, POLICY)
    assert (purged["host_slots"], purged["host_health"]) == (4, 2)

    def hosts(table: str) -> list[str]:
        with engine.connect() as connection:
            return list(connection.scalars(text(f"SELECT DISTINCT host FROM {table} ORDER BY host")))

    assert hosts("host_slots") == ["broken", "mended", "rare", "used"]
    assert hosts("host_health") == ["broken", "shy"]
    # Whoever comes back is asked within its limits, as one that was never met.
    limiter = HostRateLimiter(engine)
    assert [type(limiter.acquire("old", "search", LIMIT, 30.0)) for _ in range(3)] == [Permit, Permit, RetryLater]
