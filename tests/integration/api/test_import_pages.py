"""The pages about imports: what they tell, who may start, withdraw and change what."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from infra.store.listings.labelled_listings import labelled_listings
from infra.store.unit_of_work import units_of_work
from pipeline.domain.job import Priority
from pipeline.domain.listing import Content, Submission
from pipeline.domain.source import Source
from pipeline.steps.imports import save_summary
from pipeline.steps.intake import accept
from tests.integration.api.test_pages import HTML, secret_of, sign_in
from tests.integration.imports import file_import, run_query
from tests.integration.records import add_source

FIRST = {"1": "Brut", "2": "Rosé", "3": "Demi-sec", "4": "Sec"}
SECOND = {"1": "Brut", "2": "Rosé 2024", "4": "Sec", "5": ""}
FORM = {"database": "openbeautyfacts", "by": "category", "value": "shampoos"}


@pytest.fixture
def source(engine: Engine) -> Source:
    return add_source(engine, "shop")


@pytest.fixture
def runs(engine: Engine, source: Source) -> list[int]:
    return [run_query(engine, source, FIRST), run_query(engine, source, SECOND)]


@pytest.mark.parametrize("path", ["/imports", "/imports/1"])
def test_each_asks_for_a_login(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")


def test_the_list_tells_counts_and_follows_what_runs(
    client: TestClient,
    seller: dict[str, str],
    rival: dict[str, str],
    engine: Engine,
    source: Source,
    runs: list[int],
) -> None:
    sign_in(client, secret_of(seller))
    page = client.get("/imports")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "Open Food Facts: category champagnes" in page.text
    for count in ("<b>1</b> changed", "<b>1</b> rejected", "<b>1</b> vanished", "<b>4</b> new"):
        assert count in page.text
    assert "data-follow" not in page.text
    assert '<form class="asking"' not in page.text
    with file_import(engine, source.id):
        assert "data-follow" in client.get("/imports").text
        assert "at work" in client.get("/imports").text
    assert '<span class="status failed">interrupted</span>' in client.get("/imports").text
    sign_in(client, secret_of(rival))
    assert "champagnes" not in client.get("/imports").text
    assert client.get(f"/imports/{runs[0]}", headers=HTML).status_code == 404


def test_one_import_tells_its_rows_by_verdict_and_what_vanished(
    client: TestClient, seller: dict[str, str], engine: Engine, runs: list[int]
) -> None:
    sign_in(client, secret_of(seller))
    assert "this is the first complete import of its query" in client.get(f"/imports/{runs[0]}").text
    page = client.get(f"/imports/{runs[1]}").text
    assert "Open Database License" in page
    assert f'<a href="/imports/{runs[0]}">import {runs[0]}</a>' in page
    assert "it has no name" in client.get(f"/imports/{runs[1]}?show=rejected").text
    assert "il n’a pas de nom" in client.get(f"/imports/{runs[1]}?show=rejected&lang=fr").text
    gone = client.get(f"/imports/{runs[1]}?show=vanished&lang=en").text
    assert "Demi-sec" in gone
    assert "Brut" not in gone
    assert "Withdraw 1 listing" not in gone, "that is for admins"
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM import_rows"))
    assert "were purged" in client.get(f"/imports/{runs[1]}?show=changed").text
    assert "No row matches" in client.get(f"/imports/{runs[1]}?show=came_back").text


def test_an_admin_withdraws_what_vanished(client: TestClient, admin: dict[str, str], runs: list[int]) -> None:
    token = sign_in(client, secret_of(admin))
    where = f"/imports/{runs[1]}/withdraw-vanished"
    assert "Withdraw 1 listing" in client.get(f"/imports/{runs[1]}?show=vanished").text
    assert client.post(where, data={"token": "guessed"}, headers=HTML).status_code == 403
    done = client.post(where, data={"token": token})
    assert done.status_code == 200
    assert '<span class="status">withdrawn</span>' in done.text
    assert "Withdraw" not in done.text, "there is nothing left to withdraw"


@pytest.mark.usefixtures("runs")
def test_most_are_withdrawn_only_when_that_is_confirmed(
    client: TestClient, admin: dict[str, str], engine: Engine, source: Source
) -> None:
    third = run_query(engine, source, {"1": "Brut"})
    token = sign_in(client, secret_of(admin))
    where = f"/imports/{third}/withdraw-vanished"
    refused = client.post(where, data={"token": token}, headers=HTML)
    assert refused.status_code == 409
    assert "which may be a fault of the database" in refused.text
    client.post(where, data={"token": token, "even_most": "yes"})
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM listings WHERE withdrawn_at IS NOT NULL")) == 2


def test_an_admin_starts_an_import_by_a_form_of_ours(
    client: TestClient, engine: Engine, admin: dict[str, str], seller: dict[str, str]
) -> None:
    token = sign_in(client, secret_of(seller))
    assert client.post("/imports", data={"token": token} | FORM, headers=HTML).status_code == 403
    token = sign_in(client, secret_of(admin))
    for bad, said in (
        ({"database": "none"}, "choose a product database"),
        ({"by": "magic"}, "choose what to ask the database by"),
        ({"by": "export"}, "leave it empty"),
        ({"value": " "}, "Say which category"),
        ({"limit": "0"}, "The limit is a number"),
        ({"schedule": "sometimes"}, 'role="alert"'),
    ):
        refused = client.post("/imports", data={"token": token} | FORM | bad, headers=HTML)
        assert (refused.status_code, said.lower() in refused.text.lower()) == (422, True), bad
    for _ in range(2):  # the second leads to the one that waits
        started = client.post("/imports", data={"token": token, "limit": "10"} | FORM, follow_redirects=False)
        assert (started.status_code, started.headers["location"]) == (303, "/imports/1")
    assert "waiting for its turn" in client.get("/imports/1").text
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET note = 'it gets 10 requests in 60 s', not_before = '2099-1-1'"))
    assert "it gets 10 requests in 60 s (until 00:00:00 UTC)" in client.get("/imports").text
    with engine.connect() as connection:
        jobs = connection.execute(text("SELECT kind::text, payload ->> 'import_id' FROM jobs")).all()
    assert [tuple(job) for job in jobs] == [("collect", "1")]


def test_a_standing_collection_is_paused_resumed_run_and_removed(client: TestClient, admin: dict[str, str]) -> None:
    token = sign_in(client, secret_of(admin))
    client.post("/imports", data={"token": token, "schedule": "0 3 * * *"} | FORM)
    page = client.get("/imports").text
    assert "every day at 3:00 UTC" in page
    assert " · next: " in page

    def act(verb: str) -> str:
        return str(client.post(f"/imports/collections/1/{verb}", data={"token": token}).text)

    assert '<span class="status">paused</span>' in act("pause")
    assert '<span class="status">paused</span>' not in act("resume")
    assert "waiting for its turn" in act("run")
    assert "Standing collections" not in act("remove")
    assert client.post("/imports/collections/1/remove", data={"token": token}, headers=HTML).status_code == 404
    assert client.post("/imports/collections/1/burn", data={"token": token}, headers=HTML).status_code == 404


SUMMARY: dict[str, Any] = {
    "platform": "Shopify",
    "fields": {"name": {"column": "Title", "example": "Linen <b>shirt"}},
    "variants": 3,
    "with_category": 7,
    "categories": 2,
    "levels": 1,
    "largest_categories": [{"category": "Shirts", "rows": 6}],
    "similar": [{"rare": "Shrits", "frequent": "Shirts", "rare_count": 1, "frequent_count": 6}],
    "notes": [
        {
            "code": "category_cut",
            "rows": 2,
            "example": "the cut last part of the category was dropped",
            "coded_example": {"code": "category_cut"},
        }
    ],
}


def test_an_import_of_a_file_shows_what_was_read(
    client: TestClient, seller: dict[str, str], engine: Engine, source: Source
) -> None:
    with file_import(engine, source.id) as run:
        save_summary(units_of_work(engine), run.id, SUMMARY)
    assert client.get(f"/v1/imports/{run.id}", headers=seller).json()["summary"] == SUMMARY
    sign_in(client, secret_of(seller))
    page = client.get(f"/imports/{run.id}").text
    assert "Read as an export of Shopify." in page
    assert "Linen &lt;b&gt;shirt" in page
    assert "“Shrits” (1) looks like “Shirts” (6)" in page
    assert "Merge" not in page, "that is for admins"
    assert "2 rows: the cut last part of the category was dropped" in page
    french = client.get(f"/imports/{run.id}?lang=fr").text
    assert "Lu comme un export de Shopify." in french
    assert "2 lignes" in french


def test_an_admin_merges_two_similar_categories(
    client: TestClient, admin: dict[str, str], seller: dict[str, str], engine: Engine, source: Source
) -> None:
    units = units_of_work(engine)
    names = {"1": "Shrits", "2": "Shirts >> Linen", "3": "Shirts >> Wool"}
    submissions = [Submission(key, Content("x", seller_category=path)) for key, path in names.items()]
    with file_import(engine, source.id) as run:
        save_summary(units, run.id, SUMMARY)
    accept(units, source.id, submissions, Priority.IMPORT)
    where, pair = f"/imports/{run.id}/merge-categories", {"rare": "Shrits", "frequent": "Shirts"}

    token = sign_in(client, secret_of(seller))
    assert client.post(where, data={"token": token} | pair, headers=HTML).status_code == 403
    token = sign_in(client, secret_of(admin))
    assert client.post(where, data={"token": "guessed"} | pair, headers=HTML).status_code == 403
    unknown = client.post(where, data={"token": token, "rare": "Shirts", "frequent": "Shrits"}, headers=HTML)
    assert (unknown.status_code, "no such pair of similar categories" in unknown.text) == (422, True)
    assert "Merge" in client.get(f"/imports/{run.id}").text

    page = client.post(where, data={"token": token} | pair).text
    assert "“Shrits” counts as “Shirts”" in page
    assert "Merge" not in page
    with engine.connect() as connection:
        labelled = {each.external_id: each.category for each in labelled_listings(connection, source.taxonomy_id)}
    assert labelled == names | {"1": "Shirts"}
    assert "Shrits" in client.get("/rules?source=shop&status=accepted").text
