"""What a worker does with a job of kind collect: on at its page, waiting without blame, ended with a reason."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from infra.store.imports import repository
from infra.store.imports.queries import DifferenceKind, find_differences, find_import, list_products_of_kind
from pipeline.domain.collection import ProductRequest
from pipeline.domain.job import Queue
from pipeline.domain.product_source import ProductQuery, QueryKind
from pipeline.steps.collections import import_products
from pipeline.steps.dead_letters import replay
from tests.integration.imports import held_import
from tests.integration.infra.sources.database_products import invented_product
from tests.integration.infra.sources.database_server import DatabaseServer, running_database
from tests.integration.infra.sources.server_faults import busy, normal, page
from tests.integration.workers.conftest import Bench
from workers import collector as collecting
from workers.bootstrap import WorkerContext, build
from workers.collector import collect_handler
from workers.long_job_runner import run_long_job

WINDOW = 0.3  # the shop's minute, in seconds
TRIES = 4  # so often is a page asked for in an attempt, while patience lasts
CHAMPAGNES = ProductQuery(QueryKind.CATEGORY, "champagnes")
JOB = "SELECT state::text, failures, round(progress::numeric, 2)::float8, note FROM jobs WHERE kind = 'collect'"
IMPORT = "SELECT status::text, new, note FROM imports"
DELAY = """
    SELECT extract(epoch FROM j.not_before - a.ended_at)::float8 FROM jobs j JOIN attempts a ON a.job_id = j.id
    WHERE j.kind = 'collect' ORDER BY a.attempt DESC LIMIT 1
"""
OUTCOMES = "SELECT outcome::text FROM attempts ORDER BY job_id, attempt"


@dataclass
class Collecting:
    """A house that collects from a shop of its own, and a worker that does one attempt when it is told to.

    ``stops_after`` is how often in an attempt it looks whether to stop before it is to.
    """

    bench: Bench
    context: WorkerContext
    shop: DatabaseServer
    stops_after: int = 9

    def ask(self, query: ProductQuery = CHAMPAGNES) -> int:
        return import_products(self.context.units, ProductRequest("openfoodfacts", query)).id

    def work(self) -> tuple[Any, ...]:
        """One attempt at the job, at once; how the job and the import stand after it."""
        self.bench.ready()
        looks = itertools.count()
        for batch in self.bench.take(Queue.COLLECTING):
            run_long_job(
                self.context, "a worker", batch.job_ids[0], collect_handler(lambda: next(looks) >= self.stops_after)
            )
        return *self.bench.rows(JOB)[0], *self.bench.rows(IMPORT)[0]

    def time_passes(self) -> None:
        """Nobody has to be left alone any more."""
        self.bench.run("DELETE FROM host_health")


@pytest.fixture
def desk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collecting]:
    monkeypatch.setattr(collecting, "MAX_PERMIT_WAIT", 3 * WINDOW)
    monkeypatch.setattr(repository, "LOCK_TIMEOUT_MS", 50)
    with running_database(window=WINDOW) as shop:
        changes = {"sources_address": shop.address, "source_minute": WINDOW, "source_page_size": 10}
        changes |= {"source_failures": 100, "fetch_allow_private": True}
        context = build(bench.context.settings.model_copy(update=changes))
        yield Collecting(bench, context, shop)
        context.engine.dispose()


def test_an_import_is_done_and_tells_its_counts(desk: Collecting) -> None:
    number = desk.ask()
    counts = f"import {number}: 24 products: 24 new, 0 changed, 0 unchanged, 0 rejected"
    assert desk.work() == ("done", 0, 1.0, counts, "done", 24, None)
    assert desk.bench.value("SELECT count(*) FROM jobs WHERE kind = 'categorise' AND priority = 'import'") == 24
    # A delivery that comes late finds it done.
    desk.bench.run("UPDATE jobs SET state = 'waiting', ended_at = NULL WHERE kind = 'collect'")
    asked = len(desk.shop.requests)
    assert desk.work() == ("done", 0, 1.0, counts, "done", 24, None)
    assert len(desk.shop.requests) == asked


def test_a_busy_source_is_waited_for_without_blame_and_the_import_goes_on_at_its_page(desk: Collecting) -> None:
    desk.ask()
    desk.shop.fail("search", normal, busy(503, "30"))
    for _ in range(4):  # more often than failures are allowed
        state, failures, progress, note, *run = desk.work()
        assert (state, failures, progress, run) == ("waiting", 0, 0.42, ["running", 10, None])
        assert "Open Food Facts" in note or "127.0.0.1" in note
    assert desk.bench.value("SELECT not_before > now() + interval '20 seconds' FROM jobs WHERE kind = 'collect'")
    assert desk.bench.rows(OUTCOMES) == [("requeued",)] * 4
    desk.time_passes()
    assert desk.work()[4:] == ("done", 24, None)
    assert [request.query["page"] for request in desk.shop.asked("search")] == ["1", "2", "2", "3"]


def test_a_source_that_is_busy_for_a_day_is_given_up_with_its_import_which_can_go_on(desk: Collecting) -> None:
    number = desk.ask()
    desk.shop.fail("search", normal, *[busy(503, "30")] * 3)

    def later(hours: int) -> tuple[Any, ...]:
        """An attempt, as if it had begun to wait so many hours earlier."""
        desk.time_passes()
        (since,) = desk.bench.rows("SELECT CAST(cursor ->> 'waits_since' AS timestamptz) FROM imports")[0]
        then = since - timedelta(hours=hours)
        desk.bench.run(f"UPDATE imports SET cursor = cursor || jsonb_build_object('waits_since', '{then}')")
        return desk.work()

    desk.bench.run("UPDATE imports SET started_at = started_at - interval '60 hours'")
    assert desk.work()[0] == "waiting", "a page has just come"
    assert later(23)[0] == "waiting"
    state, failures, _, note, *run = later(2)
    assert (state, failures) == ("dead", 1)
    assert run == ["failed", 10, note]
    assert "no page has come for 24 hours" in note
    assert "What it imported stays" in note
    # It goes on from its page, whoever begins it again, and has its whole patience anew.
    desk.shop.fail("search", busy(503, "30"))
    assert desk.ask() == number
    desk.time_passes()
    assert desk.work()[4:] == ("running", 10, None)
    desk.time_passes()
    assert desk.work()[4:] == ("done", 24, None)
    assert [request.query["page"] for request in desk.shop.asked("search")] == ["1", "2", "2", "2", "2", "2", "3"]


def test_a_source_out_of_order_is_tried_again_and_then_given_up_with_its_import(desk: Collecting) -> None:
    desk.ask()
    out_of_order = [page] * TRIES
    desk.shop.fail("search", *out_of_order * 3, normal, normal, *out_of_order * 3)
    for failures in (1, 2):
        assert desk.work()[:2] == ("waiting", failures)
        assert desk.bench.value(DELAY) == failures  # seconds: twice as long each time
    desk.bench.run("UPDATE jobs SET failures = 1 WHERE kind = 'collect'")
    assert desk.work()[:2] == ("waiting", 2)
    # Two pages are progress: what failed before is forgotten.
    assert desk.work()[:2] == ("waiting", 1)
    assert desk.bench.rows(IMPORT) == [("running", 20, None)]
    assert desk.work()[:2] == ("waiting", 2)
    state, failures, _, note, *run = desk.work()
    assert (state, failures) == ("dead", 3)
    assert "a web page instead of products" in note
    assert run == ["failed", 20, note]
    assert desk.bench.rows("SELECT reason FROM dead_letters") == [(note,)]

    assert replay(desk.context.units, None, "web page") == 1
    assert desk.work()[4:] == ("done", 24, None)


def test_a_refusal_ends_the_import_at_once(desk: Collecting) -> None:
    desk.ask()
    desk.shop.fail("search", busy(403))
    state, _, _, note, *run = desk.work()
    assert (state, run) == ("dead", ["failed", 0, note])
    assert "403" in note
    assert "Traceback" not in note
    assert desk.bench.rows("SELECT reason FROM dead_letters") == [(note,)]


def test_workers_that_die_of_it_leave_no_import_running(desk: Collecting) -> None:
    desk.ask()
    for _ in range(3):
        (batch,) = desk.bench.take(Queue.COLLECTING)
        with desk.context.units() as unit:
            assert unit.claims.claim_long_job(batch.job_ids[0], "a dying worker", 30)
            unit.commit()
        desk.bench.expire()
        desk.bench.sweep()
    assert desk.bench.rows(IMPORT) == [("failed", 0, "its worker died 3 times while working on it alone")]
    assert desk.bench.rows("SELECT state::text FROM jobs") == [("dead",)]


def test_an_import_that_a_command_is_at_is_left_to_it(desk: Collecting) -> None:
    number = desk.ask()
    with held_import(desk.context.engine, number):
        state, failures, _, note, *run = desk.work()
    assert (state, failures, run) == ("waiting", 0, ["running", 0, None])
    assert f"is already running, as import {number}" in note
    assert desk.work()[4:] == ("done", 24, None)


def test_a_worker_that_is_told_to_stop_leaves_the_rest_to_another(desk: Collecting) -> None:
    desk.ask()
    desk.stops_after = 1
    for taken in (10, 20):
        state, failures, _, note, *run = desk.work()
        assert (state, failures, run) == ("waiting", 0, ["running", taken, None])
        assert note.startswith(f"{taken} products; the worker was told to stop")
    desk.stops_after = 0
    assert desk.work()[3:] == ("the worker was told to stop", "running", 20, None)
    desk.stops_after = 9
    assert desk.work()[4:] == ("done", 24, None)


def test_an_import_that_is_gone_is_no_work(desk: Collecting) -> None:
    number = desk.ask()
    desk.bench.run("DELETE FROM imports")
    desk.bench.run(
        "INSERT INTO imports (source_id, origin, status) SELECT id, 'a file', 'running' FROM sources LIMIT 1"
    )
    assert desk.work()[:1] == ("dead",)
    assert desk.bench.rows("SELECT reason FROM dead_letters") == [
        (f"there is no import {number} from a product database",)
    ]


def test_the_next_run_tells_what_is_new_changed_gone_and_back_at_the_source(desk: Collecting) -> None:
    goods = desk.shop.goods
    teas = ProductQuery(QueryKind.CATEGORY, "green-teas")
    first, *others = [product for product in goods.all() if "en:green-teas" in product["categories_tags"]]
    goods.remove(others.pop()["code"])

    def run() -> dict[str, Any]:
        number = desk.ask(teas)
        desk.work()
        with desk.context.engine.connect() as connection:
            found = find_import(connection, number, None)
            assert found is not None
            differences = find_differences(connection, found)
            lists = {kind: list_products_of_kind(connection, number, kind, 0, 9) for kind in DifferenceKind}
        codes = {kind.value: [one.external_id for one in products] for kind, products in lists.items()}
        return {"import": number, "counts": differences.counts, "compared_with": differences.compared_with, **codes}

    assert run()["counts"] == {"new": 8, "changed": 0, "unchanged": 0, "came_back": None, "vanished": None}
    goods.remove(first["code"])
    goods.change(others[0]["code"], ingredients_text_fr="Thé vert, menthe")
    goods.add(invented_product("green-teas", 30, desk.shop.address))
    second = run()
    assert second["counts"] == {"new": 1, "changed": 1, "unchanged": 6, "came_back": 0, "vanished": 1}
    assert (second["vanished"], second["changed"]) == ([first["code"]], [others[0]["code"]])
    goods.add(first)
    third = run()
    assert (third["came_back"], third["vanished"], third["compared_with"]) == ([first["code"]], [], second["import"])


def test_a_worker_is_stopped_while_it_fetches_an_export_and_the_next_one_goes_on_with_the_copy(
    desk: Collecting,
) -> None:
    desk.ask(ProductQuery(QueryKind.EXPORT))
    desk.stops_after = 1
    state, failures, _, note, *run = desk.work()
    assert (state, failures, run) == ("waiting", 0, ["running", 0, None])
    assert note.startswith("0 products; the worker was told to stop")
    desk.stops_after = 9
    assert desk.work()[0] == "done"
    assert desk.bench.value("SELECT count(*) FROM import_rows") == len(desk.shop.goods.all())
    left = (desk.context.settings.home / "cache" / "exports").iterdir()
    assert [path for path in left if path.suffix != ".lock"] == [], "the copy is thrown away once all is taken in"
