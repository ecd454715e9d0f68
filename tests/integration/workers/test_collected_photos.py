"""Photos of collected products at the worker: turns are waited for outside of it, and what is forbidden is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from infra.photos.photo_rate_limits import DISALLOWED
from tests.integration.infra.sources.database_products import barcode, photo_folder
from tests.integration.infra.sources.database_server import DatabaseServer, running_database
from tests.integration.infra.sources.server_faults import busy
from tests.integration.workers.conftest import Bench
from workers.bootstrap import build

CODES = [barcode(1000 + number) for number in range(1, 9)]
IMAGES = "SELECT status, reason FROM images ORDER BY id"
DECISIONS = "SELECT provisional, reason FROM decisions ORDER BY id"

Configured = Callable[..., None]


@pytest.fixture
def shop() -> Iterator[DatabaseServer]:
    with running_database() as shop:
        yield shop


@pytest.fixture
def configured(bench: Bench, shop: DatabaseServer) -> Configured:
    """The worker of the bench, with the shop as its product database and other settings as given."""

    def configure(**changes: object) -> None:
        settings = bench.context.settings.model_copy(
            update={"sources_address": shop.address, "fetch_allow_private": True, **changes}
        )
        context = build(settings)
        context.engine.dispose()  # it shares the record of the bench
        categorise_context = replace(bench.child.categorise_context, photos=context.photos)
        bench.child = replace(bench.child, categorise_context=categorise_context)

    return configure


def photo(shop: DatabaseServer, code: str) -> str:
    return f"{shop.address}/images/products/{photo_folder(code)}/front_fr.3.400.jpg"


def work(bench: Bench) -> None:
    for batch in bench.take():
        bench.work(batch)


@pytest.mark.parametrize("model", [True, False])
def test_photos_whose_turn_comes_later_leave_their_jobs_waiting_and_count_against_none(
    bench: Bench, shop: DatabaseServer, configured: Configured, *, model: bool
) -> None:
    configured(photo_requests=18, source_minute=600.0)  # three in a hundred seconds, with the robots.txt
    if model:
        bench.add_model()
    for code in CODES[:4]:
        bench.post(code, images=(photo(shop, code),))
    work(bench)
    assert bench.value("SELECT count(*) FROM images WHERE status = 'stored'") == 2
    late = bench.rows("SELECT status, reason FROM images WHERE status <> 'stored'")
    assert [status for status, _ in late] == ["pending"] * 2
    assert all("is asked for at most 3 photos in 100 s" in reason for _, reason in late)
    assert bench.rows("SELECT state, failures FROM jobs WHERE state <> 'done'") == [("waiting", 0)] * 2
    assert sorted(provisional for provisional, _ in bench.rows(DECISIONS)) == [False, False, True, True]
    assert bench.value("SELECT min(not_before) > now() + interval '30 seconds' FROM jobs WHERE state = 'waiting'")
    for _ in range(bench.context.settings.attempt_limit + 1):  # more often than failures are borne
        bench.ready()
        work(bench)
    assert bench.rows("SELECT state, failures FROM jobs WHERE state <> 'done'") == [("waiting", 0)] * 2
    assert bench.value("SELECT count(*) FROM dead_letters") == 0
    assert bench.value("SELECT count(*) FROM attempts") == 4  # one tells as much as all

    configured(photo_requests=18000, source_minute=600.0)  # more turns
    bench.ready()
    work(bench)
    assert set(bench.states()) == {"done"}
    assert {status for status, _ in bench.rows(IMAGES)} == {"stored"}
    assert not any(provisional for provisional, _ in bench.rows(DECISIONS))
    assert len(shop.asked("photo")) == 4


def test_what_the_robots_txt_forbids_is_told_with_the_image_and_the_text_decides(
    bench: Bench, shop: DatabaseServer, configured: Configured
) -> None:
    shop.robots = "User-agent: *\nDisallow: /images/"
    configured()
    bench.add_model()
    bench.post("a", images=(photo(shop, CODES[0]),))
    work(bench)
    assert bench.states() == ["done"]
    assert bench.rows(IMAGES) == [("unusable", str(DISALLOWED))]
    assert [provisional for provisional, _ in bench.rows(DECISIONS)] == [False]
    assert not shop.asked("photo")


def test_a_busy_host_is_waited_for_and_its_photos_come_in_the_end(
    bench: Bench, shop: DatabaseServer, configured: Configured
) -> None:
    shop.fail("photo", busy(429, "120"))
    configured()
    bench.add_model()
    bench.post(*CODES[:1], images=(photo(shop, CODES[0]),))
    work(bench)
    assert bench.rows("SELECT state, failures FROM jobs") == [("waiting", 0)]
    assert bench.value("SELECT not_before > now() + interval '60 seconds' FROM jobs")
    bench.ready()
    work(bench)
    assert len(shop.asked("photo")) == 1  # not before it said
    bench.run("UPDATE host_health SET left_alone_until = now()")
    bench.ready()
    work(bench)
    assert bench.rows(IMAGES) == [("stored", None)]
    assert bench.states() == ["done"]


@pytest.mark.usefixtures("shop")
def test_a_listing_with_a_provenance_is_treated_so_wherever_its_photo_is(bench: Bench, configured: Configured) -> None:
    configured()
    with running_database(stock={"champagnes": 1}) as elsewhere:
        elsewhere.robots = "User-agent: *\nDisallow: /images/"
        bench.post("ours", images=(photo(elsewhere, CODES[0]),))
        bench.run(
            "INSERT INTO provenances (listing_id, database, address) SELECT id, 'openfoodfacts', 'x' FROM listings"
        )
        bench.post("a seller's", images=(photo(elsewhere, CODES[0]),))
        work(bench)
    assert bench.rows(IMAGES) == [("unusable", str(DISALLOWED)), ("stored", None)]
