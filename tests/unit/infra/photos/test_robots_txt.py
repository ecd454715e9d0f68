"""A robots.txt is fetched once, used for a day, and read as RFC 9309 says."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.photos.robots_txt import FRESH_SECONDS, STALE_SECONDS, RobotsCache
from infra.safe_fetch.addresses import Target
from infra.sources.http_cache import FileCache
from pipeline.domain.errors import AddressUnavailable, RateLimited

SITE = "https://photos.example"
TARGET = Target("https", "photos.example", 443, "/images/1.jpg")
DISALLOW = "User-agent: *\nDisallow: /images/"


class FakeSite:
    """A site with a robots.txt: a text, None for no such file, or an error."""

    def __init__(self, robots: str | Exception | None) -> None:
        self.robots = robots
        self.requests: list[str] = []

    def fetch(self, address: str) -> str | None:
        self.requests.append(address)
        if isinstance(self.robots, Exception):
            raise self.robots
        return self.robots


class HandClock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def files(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path, 1_000_000)


def test_the_robots_txt_of_the_site_is_fetched_and_obeyed(files: FileCache, clock: HandClock) -> None:
    site = FakeSite(DISALLOW)
    rules = RobotsCache(files, clock).rules(TARGET, site.fetch, 1.0)
    assert site.requests == [f"{SITE}/robots.txt"]
    assert not rules.allow(TARGET)
    assert rules.allow(Target("https", "photos.example", 443, "/other.jpg"))


def test_another_process_uses_the_cached_one_for_a_day(files: FileCache, clock: HandClock) -> None:
    site = FakeSite(DISALLOW)
    RobotsCache(files, clock).rules(TARGET, site.fetch, 1.0)
    clock.now += FRESH_SECONDS - 1
    other = RobotsCache(files, clock)
    assert not other.rules(TARGET, site.fetch, 1.0).allow(TARGET)
    assert len(site.requests) == 1
    clock.now += 2
    other.rules(TARGET, site.fetch, 1.0)
    assert len(site.requests) == 2


def test_one_from_the_future_is_not_trusted(files: FileCache, clock: HandClock) -> None:
    site = FakeSite(DISALLOW)
    RobotsCache(files, clock).rules(TARGET, site.fetch, 1.0)
    clock.now -= 3600  # the clock was wrong, and has been set
    RobotsCache(files, clock).rules(TARGET, site.fetch, 1.0)
    assert len(site.requests) == 2


def test_an_old_one_is_used_a_while_when_the_site_fails(files: FileCache, clock: HandClock) -> None:
    site = FakeSite(DISALLOW)
    robots = RobotsCache(files, clock)
    robots.rules(TARGET, site.fetch, 1.0)
    clock.now += FRESH_SECONDS + 1
    site.robots = AddressUnavailable("503")
    assert not robots.rules(TARGET, site.fetch, 1.0).allow(TARGET)
    clock.now += STALE_SECONDS - 1
    robots.rules(TARGET, site.fetch, 1.0)
    assert len(site.requests) == 2
    clock.now += 2
    robots.rules(TARGET, site.fetch, 1.0)
    assert len(site.requests) == 3


def test_without_an_old_one_the_error_of_the_site_is_raised(files: FileCache, clock: HandClock) -> None:
    with pytest.raises(AddressUnavailable, match="503"):
        RobotsCache(files, clock).rules(TARGET, FakeSite(AddressUnavailable("503")).fetch, 1.0)


def test_a_site_without_robots_txt_allows_everything(files: FileCache, clock: HandClock) -> None:
    assert RobotsCache(files, clock).rules(TARGET, FakeSite(None).fetch, 1.0).allow(TARGET)


def test_many_threads_fetch_once_even_where_nothing_can_be_cached_in_files(tmp_path: Path, clock: HandClock) -> None:
    robots, site = RobotsCache(FileCache(tmp_path, 0), clock), FakeSite(DISALLOW)
    together = threading.Barrier(8)

    def rules(_number: int) -> bool:
        together.wait(10)
        return robots.rules(TARGET, site.fetch, 10.0).allow(TARGET)

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(rules, range(8)))
    assert len(site.requests) == 1


def test_a_thread_does_not_wait_longer_than_allowed(files: FileCache, clock: HandClock) -> None:
    robots = RobotsCache(files, clock)
    fetching, go_on = threading.Event(), threading.Event()

    def slow(_address: str) -> str:
        fetching.set()
        go_on.wait(10)
        return ""

    first = threading.Thread(target=robots.rules, args=(TARGET, slow, 1.0))
    first.start()
    assert fetching.wait(10)
    with pytest.raises(RateLimited, match="is being fetched") as later:
        robots.rules(TARGET, slow, 0.01)
    assert later.value.retry_after == 5.0
    go_on.set()
    first.join()


@pytest.mark.parametrize(
    ("line", "delay"), [("Crawl-delay: 2.5", 2.5), ("Crawl-delay: 0", 0.0), ("Crawl-delay: -3", None), ("", None)]
)
def test_the_crawl_delay_is_read(files: FileCache, clock: HandClock, line: str, delay: float | None) -> None:
    site = FakeSite(f"User-agent: *\n{line}\nDisallow: /x")
    assert RobotsCache(files, clock).rules(TARGET, site.fetch, 1.0).crawl_delay == delay
