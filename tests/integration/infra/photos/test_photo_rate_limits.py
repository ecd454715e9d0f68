"""Photos of product databases are fetched as their hosts allow, within the rate limits of all workers together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from infra.photos import photo_rate_limits
from infra.photos.photo_fetcher import PhotoFetcher
from infra.photos.photo_rate_limits import DISALLOWED, GIVE_UP_FAILURES, PhotoRateLimits
from infra.photos.robots_txt import FRESH_SECONDS, RETRY_SECONDS, RobotsCache
from infra.safe_fetch.addresses import FetchPolicy
from infra.safe_fetch.fetcher import HostBusy
from infra.settings import Settings
from infra.sources.http_cache import FileCache
from infra.sources.politeness import user_agent
from infra.storage.filesystem import FilesystemStorage
from infra.store.host_rate_limits import HostRateLimiter, PausePolicy
from pipeline.domain.errors import AddressUnavailable, BadImage, PermanentFailure, RateLimited
from tests.integration.infra.sources.database_products import barcode, photo_folder, photo_of
from tests.integration.infra.sources.database_server import DatabaseServer, RequestHandler, running_database
from tests.integration.infra.sources.server_faults import busy, normal, nothing, page

POLICY = FetchPolicy(allow_private=True, total_timeout=5.0)
CODES = [barcode(1000 + number) for number in range(1, 25)]


def stopped_clock() -> float:
    return 1_700_000_000.0


Worker = Callable[..., PhotoFetcher]


@pytest.fixture
def worker(settings: Settings, engine: Engine, tmp_path: Path) -> Worker:
    """Photos as one process fetches them: processes share the rate limits, and the files of the machine."""

    def make(
        *,
        now: Callable[[], float] | None = None,
        pause_policy: PausePolicy | None = None,
        folder: str = "robots",
        **changes: float,
    ) -> PhotoFetcher:
        robots = RobotsCache(FileCache(tmp_path / folder, 1_000_000), *((now,) if now else ()))
        changed = settings.model_copy(update=changes)
        politeness = PhotoRateLimits(changed, POLICY, HostRateLimiter(engine, pause_policy, now), robots)
        storage = FilesystemStorage(tmp_path / "objects", "http://127.0.0.1", "secret")
        return PhotoFetcher(storage, POLICY, 20_000_000, politeness)

    return make


def drawing(handler: RequestHandler) -> None:
    handler.send(200, b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml")


def photo_at(shop: DatabaseServer, code: str = CODES[0]) -> str:
    return f"{shop.address}/images/products/{photo_folder(code)}/front_fr.3.400.jpg"


def test_the_robots_txt_is_fetched_before_the_first_photo(shop: DatabaseServer, worker: Worker) -> None:
    photos = worker()
    assert photos.fetch(photo_at(shop)).content == photo_of(CODES[0])
    photos.fetch(photo_at(shop, CODES[1]))
    assert [request.kind for request in shop.requests] == ["robots", "photo", "photo"]
    assert {request.headers["User-Agent"] for request in shop.requests} == {user_agent("ops@rayon.example")}


@pytest.mark.parametrize("rules", ["User-agent: *\nDisallow: /images/", "User-agent: rayon\nDisallow: /"])
def test_a_photo_that_the_robots_txt_forbids_is_never_requested(
    shop: DatabaseServer, worker: Worker, rules: str
) -> None:
    shop.robots = rules
    with pytest.raises(PermanentFailure, match=str(DISALLOWED)):
        worker().fetch(photo_at(shop))
    assert not shop.asked("photo")
    shop.robots = f"{rules}\nAllow: /images/products/"
    worker(folder="another machine").fetch(photo_at(shop))


def test_a_forbidden_photo_takes_no_slot_of_the_rate_limit(shop: DatabaseServer, worker: Worker) -> None:
    shop.robots = "User-agent: *\nDisallow: /images/"
    photos = worker(now=stopped_clock, photo_requests=12, source_minute=60.0)  # two in ten seconds, with the robots.txt
    for _ in range(3):
        with pytest.raises(PermanentFailure, match=str(DISALLOWED)):
            photos.fetch(photo_at(shop))


@pytest.mark.parametrize("robots", [404, 403, "", "<html>a page</html>"])
def test_a_host_without_rules_allows_everything(shop: DatabaseServer, worker: Worker, robots: int | str) -> None:
    shop.robots = robots
    assert worker().fetch(photo_at(shop)).content == photo_of(CODES[0])


def test_a_robots_txt_that_cannot_be_read_allows_nothing_yet(shop: DatabaseServer, worker: Worker) -> None:
    photos = worker()
    shop.fail("robots", busy(500), busy(503, "0"))
    with pytest.raises(AddressUnavailable, match=r"robots.txt of 127.0.0.1:\d+ cannot be read: the host answers 500"):
        photos.fetch(photo_at(shop))
    with pytest.raises(RateLimited, match="asks to wait"):
        photos.fetch(photo_at(shop))
    assert not shop.asked("photo")
    photos.fetch(photo_at(shop))


def test_a_robots_txt_is_fetched_once_a_day_by_all_on_a_machine(
    shop: DatabaseServer, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_rate_limits, "MAX_WAIT_SECONDS", 60.0)
    now = 1_700_000_000.0
    photos = worker(now=lambda: now)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(photos.fetch, [photo_at(shop, code) for code in CODES[:8]]))
    worker(now=lambda: now).fetch(photo_at(shop))
    assert len(shop.asked("robots")) == 1
    now += FRESH_SECONDS + 1
    photos.fetch(photo_at(shop))
    assert len(shop.asked("robots")) == 2
    now += FRESH_SECONDS + 1
    shop.fail("robots", busy(500))
    photos.fetch(photo_at(shop))  # the old rules hold until the host gives new ones
    photos.fetch(photo_at(shop))
    assert len(shop.asked("robots")) == 3


def test_requests_above_the_limit_get_one_moment_after_the_other_to_come_back(
    shop: DatabaseServer, worker: Worker
) -> None:
    waits = []
    one, other = (
        worker(now=stopped_clock, photo_requests=12, source_minute=60.0) for _ in range(2)
    )  # two in ten seconds
    one.fetch(photo_at(shop))  # with the robots.txt, these are two
    for photos in (one, other, one, other):
        with pytest.raises(RateLimited, match="at most 2 photos in 10 s") as early:
            photos.fetch(photo_at(shop, CODES[1]))
        waits.append(early.value.retry_after or 0.0)
    assert len(shop.asked("photo")) == 1
    assert [round(wait) for wait in waits] == [10, 15, 20, 25]


def test_a_crawl_delay_holds_for_all_workers(shop: DatabaseServer, worker: Worker) -> None:
    shop.robots = "User-agent: *\nCrawl-delay: 30"
    now = 1_700_000_000.0
    one, other = (worker(now=lambda: now) for _ in range(2))
    with pytest.raises(RateLimited, match="at most 1 photo in 30 s"):
        one.fetch(photo_at(shop))  # the robots.txt was a request as well
    now += 10.0
    one.fetch(photo_at(shop))
    now += 10.0
    with pytest.raises(RateLimited) as early:
        other.fetch(photo_at(shop, CODES[1]))
    assert 20 <= round(early.value.retry_after or 0.0) <= 50  # the second in line
    now += 21.0
    other.fetch(photo_at(shop, CODES[1]))
    assert len(shop.asked("photo")) == 2


def test_a_short_crawl_delay_does_not_raise_our_own_rate_limit(shop: DatabaseServer, worker: Worker) -> None:
    shop.robots = "User-agent: *\nCrawl-delay: 0.1"
    photos = worker(now=stopped_clock, photo_requests=2, source_minute=60.0)
    with pytest.raises(RateLimited, match="at most 1 photo in 30 s"):
        photos.fetch(photo_at(shop))  # the robots.txt was a request as well


def test_without_the_database_of_rate_limits_photos_wait(
    shop: DatabaseServer, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise OperationalError("SELECT", {}, Exception("the database is away"))

    photos = worker()
    photos.fetch(photo_at(shop))
    for name in ("acquire", "enqueue"):
        monkeypatch.setattr(HostRateLimiter, name, broken)
    with pytest.raises(RateLimited, match="cannot be read from the database") as later:
        photos.fetch(photo_at(shop, CODES[1]))
    assert later.value.retry_after == RETRY_SECONDS
    assert len(shop.asked("photo")) == 1


def test_a_photo_that_arrived_is_kept_although_its_success_cannot_be_recorded(
    shop: DatabaseServer, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("the database is away"))

    monkeypatch.setattr(HostRateLimiter, "succeeded", broken)
    assert worker().fetch(photo_at(shop)).content == photo_of(CODES[0])


def test_many_threads_that_retry_at_once_keep_the_rate_limit(shop: DatabaseServer, worker: Worker) -> None:
    shop.limits.most = {"photo": 10}  # with the robots.txt, which the shop does not count
    limits = {"photo_requests": 60, "source_minute": 6 * shop.limits.window}
    processes = [worker(**limits) for _ in range(4)]

    def fetch(number: int) -> None:
        while True:
            try:
                processes[number % 4].fetch(photo_at(shop, CODES[number]))
                return
            except RateLimited:
                pass

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(fetch, range(24)))
    assert len(shop.asked("photo")) == 24
    assert not shop.limits.violations


def test_a_host_that_asks_to_wait_is_paused_for_all_and_counts_against_no_photo(
    shop: DatabaseServer, worker: Worker
) -> None:
    shop.fail("photo", busy(429, "90"))
    with pytest.raises(RateLimited, match="asks to wait: the host answers 429") as first:
        worker(now=stopped_clock).fetch(photo_at(shop))
    with pytest.raises(RateLimited, match="is paused: the host answers 429") as second:
        worker(now=stopped_clock).fetch(photo_at(shop))
    assert [round(error.value.retry_after or 0.0) for error in (first, second)] == [90, 90]
    assert len(shop.asked("photo")) == 1


def test_a_busy_host_that_names_no_time_is_paused_for_a_minute(shop: DatabaseServer, worker: Worker) -> None:
    shop.fail("photo", busy(429))
    waits = []
    for problem in ("asks to wait", "is paused", "is paused"):
        with pytest.raises(RateLimited, match=problem) as later:
            worker(now=stopped_clock, photo_requests=12, source_minute=60.0).fetch(photo_at(shop))
        waits.append(round(later.value.retry_after or 0.0))
    assert waits == [60, 65, 70]  # photos come back one after the other
    assert len(shop.asked("photo")) == 1


def test_a_failing_host_is_paused_and_given_up_after_too_many_failures(
    shop: DatabaseServer, worker: Worker, engine: Engine
) -> None:
    shop.fail("photo", *[busy(500)] * GIVE_UP_FAILURES)
    hasty = worker(pause_policy=PausePolicy(failures=3, first=1e-6, longest=1e-6))
    patient = worker(pause_policy=PausePolicy(failures=3, first=60.0))
    for photos in (hasty, hasty, patient):
        with pytest.raises(AddressUnavailable, match="answers 500") as failed:
            photos.fetch(photo_at(shop))
        assert failed.type is HostBusy
    with pytest.raises(RateLimited, match="is paused: the host answers 500"):
        worker().fetch(photo_at(shop, CODES[1]))
    with engine.begin() as connection:  # the pause is over
        connection.execute(text("UPDATE host_health SET left_alone_until = now()"))
    for _ in range(GIVE_UP_FAILURES - 4):
        with pytest.raises(HostBusy):
            hasty.fetch(photo_at(shop))
    with pytest.raises(HostBusy):
        patient.fetch(photo_at(shop))
    with pytest.raises(AddressUnavailable, match=f"failed {GIVE_UP_FAILURES} times in a row") as given_up:
        worker().fetch(photo_at(shop, CODES[1]))
    assert given_up.type is AddressUnavailable


def test_a_broken_photo_is_no_failure_of_its_host(shop: DatabaseServer, worker: Worker) -> None:
    photos = worker(pause_policy=PausePolicy(failures=1, first=60.0))
    shop.fail("photo", drawing, busy(404), normal)
    with pytest.raises(BadImage, match="SVG"):
        photos.fetch(photo_at(shop))
    with pytest.raises(PermanentFailure, match="404"):
        photos.fetch(photo_at(shop))
    photos.fetch(photo_at(shop))


def test_a_web_page_instead_of_a_photo_may_pass_at_a_database(shop: DatabaseServer, worker: Worker) -> None:
    photos = worker()
    shop.fail("photo", page, nothing)
    for problem in ("a web page", "empty"):
        with pytest.raises(AddressUnavailable, match=problem):
            photos.fetch(photo_at(shop))
    photos.fetch(photo_at(shop))
    with running_database(stock={"champagnes": 1}) as seller:
        seller.fail("photo", page)
        with pytest.raises(BadImage, match="a web page"):
            photos.fetch(photo_at(seller))


def test_a_sellers_host_is_asked_at_once_unless_it_asked_to_wait(worker: Worker) -> None:
    with running_database(stock={"champagnes": 3}) as seller:
        seller.robots = "User-agent: *\nDisallow: /"
        photos = worker(now=stopped_clock, photo_requests=1, source_minute=600.0)
        for _ in range(2):
            photos.fetch(photo_at(seller))
        assert [request.kind for request in seller.requests] == ["photo"] * 2
        assert seller.requests[0].headers["User-Agent"] == POLICY.user_agent

        seller.fail("photo", busy(503), normal, busy(429, "70"))
        with pytest.raises(AddressUnavailable, match="503"):
            photos.fetch(photo_at(seller))
        photos.fetch(photo_at(seller))
        for fetcher in (photos, worker(now=stopped_clock)):
            with pytest.raises(AddressUnavailable, match="429") as asked:
                fetcher.fetch(photo_at(seller))
            assert asked.type is not RateLimited
            assert round(asked.value.retry_after or 0.0) == 70
        assert len(seller.asked("photo")) == 5


def test_the_address_of_a_collected_product_is_limited_wherever_it_is(worker: Worker) -> None:
    with running_database(stock={"champagnes": 3}) as elsewhere:
        elsewhere.robots = "User-agent: *\nDisallow: /images/"
        with pytest.raises(PermanentFailure, match=str(DISALLOWED)):
            worker().fetch(photo_at(elsewhere), collected=True)
        assert [request.kind for request in elsewhere.requests] == ["robots"]
