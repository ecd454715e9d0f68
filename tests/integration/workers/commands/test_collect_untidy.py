"""A product database that misbehaves: the command ends as it should, or stops in a sentence and goes on later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from pipeline.domain.errors import AddressUnavailable, PermanentFailure
from pipeline.domain.product_source import SourceBusy
from tests.integration.infra.sources import server_faults
from tests.integration.infra.sources.database_server import DatabaseServer, running_database
from tests.integration.infra.sources.server_faults import busy, content, normal, redirect, slow
from tests.integration.workers.conftest import Bench
from workers.cli import app

WINDOW = 0.5  # the shop's minute, in seconds
STATE = """
    SELECT l.external_id, r.number, r.fingerprint, p.address, p.categories, i.reference, count(j.id)
    FROM sources s JOIN listings l ON l.source_id = s.id JOIN revisions r ON r.listing_id = l.id
    JOIN provenances p ON p.listing_id = l.id JOIN images i ON i.revision_id = r.id JOIN jobs j ON j.revision_id = r.id
    WHERE s.name = :name GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1
"""

Collect = Callable[..., dict[str, Any]]


@pytest.fixture
def shop(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseServer]:
    with running_database(window=WINDOW) as shop:
        environment |= {
            "RAYON_SOURCES_ADDRESS": shop.address,
            "RAYON_SOURCE_MINUTE": str(WINDOW),
            "RAYON_SOURCE_PAGE_SIZE": "4",
            "RAYON_SOURCE_SECONDS": "0.4",
            "RAYON_SOURCE_REST": "0.1",
            "RAYON_FETCH_ALLOW_PRIVATE": "true",
        }
        for name, setting in environment.items():
            monkeypatch.setenv(name, setting)
        yield shop


@pytest.fixture
def collect(shop: DatabaseServer) -> Collect:  # noqa: ARG001 (the command asks the server)
    """``rayon collect`` for the champagnes, as a source of that name; what it prints, or the error it ends with."""

    def run(source: str, *words: str) -> dict[str, Any]:
        asked = ("collect", "openfoodfacts", "--category", "champagnes", "--source", source, "--no-wait", "--json")
        done = CliRunner().invoke(app, (*asked, *words), catch_exceptions=False)
        assert done.exit_code == 0
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    return run


def state(bench: Bench, source: str) -> Sequence[Any]:
    with bench.context.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(STATE), {"name": source})]


def test_every_page_fails_in_its_own_way_and_the_run_ends_as_an_undisturbed_one(
    shop: DatabaseServer, collect: Collect, bench: Bench
) -> None:
    whole = collect("whole")
    assert (whole["rows"], whole["new"], whole["complete"]) == (24, 24, True)
    asked = len(shop.asked("search"))
    again = collect("whole")
    assert (again["rows"], again["unchanged"], again["complete"]) == (24, 24, True)
    assert all("If-None-Match" in request.headers for request in shop.asked("search")[asked:])
    ways = [
        *(server_faults.page, server_faults.nothing, normal),
        *(server_faults.truncated, server_faults.cut, normal),
        *(server_faults.ended, busy(503), normal),
        *(busy(429, "1"), server_faults.dripping, normal),
        *(content({"status": "failure"}), busy(500), slow(0.1)),
        *(redirect("/api/v1/search"), busy(502), content([]), normal),
    ]
    shop.fail("search", *ways)
    untidy = collect("untidy")
    assert {k: v for k, v in untidy.items() if k not in {"import", "source", "taxonomy"}} == {
        k: v for k, v in whole.items() if k not in {"import", "source", "taxonomy"}
    }
    assert state(bench, "untidy") == state(bench, "whole")
    assert len(shop.asked("search")) - 3 * asked >= 12


def test_what_does_not_pass_stops_in_a_sentence_and_goes_on_when_started_again(
    shop: DatabaseServer, collect: Collect, bench: Bench
) -> None:
    collect("whole")
    for way, error, sentence in (
        ([redirect("http://elsewhere.example/")], PermanentFailure, "leads to another host, which is not followed"),
        ([server_faults.page] * 4, AddressUnavailable, "answers with a web page instead of products"),
        ([busy(429, "7000")], SourceBusy, "answers 429"),
        ([busy(403)], PermanentFailure, "answers 403"),
    ):
        shop.fail("search", normal, *way)
        with pytest.raises(error, match=sentence):
            collect("stopped")
        bench.run("DELETE FROM host_health")
    ended = collect("stopped")
    assert (ended["rows"], ended["new"], ended["complete"]) == (24, 24, True)
    assert state(bench, "stopped") == state(bench, "whole")
    assert bench.value("SELECT count(*) FROM imports") == 2
    assert bench.value("SELECT count(*) FROM import_rows") == 48


def test_wrong_counts_and_empty_pages_lose_nothing_and_are_told(shop: DatabaseServer, collect: Collect) -> None:
    products = [shop.goods.all()[number] for number in range(24)]
    champagnes = sorted(
        (p for p in products if "en:champagnes" in p["categories_tags"]), key=lambda p: p["created_t"], reverse=True
    )

    def page(number: int, count: Any, found: Sequence[Any] | None = None) -> server_faults.Response:
        shown = champagnes[4 * number - 4 : 4 * number] if found is None else found
        return content({"count": count, "page": number, "page_size": 4, "products": shown})

    # It counts too few, or in words.
    shop.fail("search", page(1, 3), page(2, "8"), page(3, None), page(4, 0), page(5, 1), page(6, 20), page(7, 3))
    few = collect("too few")
    assert (few["rows"], few["new"], few["complete"]) == (24, 24, True)

    # An empty page in the middle is there when it is asked for again; one that stays empty does not end the run.
    again = [page(1, 24), page(2, 24, []), page(2, 24), page(3, 24, []), page(3, 24, [])]
    shop.fail("search", *again, page(4, 24), page(5, 24), page(6, 24))
    hole = collect("hole")
    assert (hole["rows"], hole["new"], hole["complete"]) == (20, 20, False)

    # It promises thousands that never come.
    shop.fail("search", *[page(number, 9000) for number in range(1, 7)], *[page(9, 9000, [])] * 6)
    many = collect("too many")
    assert (many["rows"], many["new"], many["complete"]) == (24, 24, False)
    assert not shop.faults["search"]

    # Products that come again on a later page.
    shop.fail("search", page(1, 24), page(2, 24, [*champagnes[3:5], *champagnes[3:5]]), page(3, 24), *[page(9, 12, [])])
    twice = collect("twice", "--afresh")
    assert (twice["new"], twice["rejected"]) == (9, 3)
    assert all("came before in this run" in reason for reason in twice["reasons"])
