"""Imports over HTTP: two runs with one product new, one changed, one gone; who may see them and withdraw."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from pipeline.domain.source import Source
from tests.integration.api.test_pages import secret_of, sign_in
from tests.integration.imports import run_query
from tests.integration.records import add_source

FIRST = {"1": "Brut", "2": "Rosé", "3": "Demi-sec", "4": "Sec"}
SECOND = {"1": "Brut", "2": "Rosé 2024", "4": "Sec", "5": "Millésimé"}


@pytest.fixture
def source(engine: Engine) -> Source:
    return add_source(engine, "shop")


@pytest.fixture
def runs(engine: Engine, source: Source) -> list[int]:
    return [run_query(engine, source, FIRST), run_query(engine, source, SECOND)]


def test_an_import_tells_where_it_comes_from_and_how_far_it_is(
    client: TestClient, seller: dict[str, str], engine: Engine, source: Source, runs: list[int]
) -> None:
    newest = client.get("/v1/imports", headers=seller).json()["items"][0]
    assert (newest["id"], newest["database"], newest["share"]) == (runs[1], "openfoodfacts", 1.0)
    assert newest["query"] == {"kind": "category", "value": "champagnes", "limit": None}
    assert (newest["complete"], newest["vanished"], newest["came_back"], newest["doing"]) == (True, 1, 0, None)
    assert "Open Database License" in newest["licence"]["attribution"]

    running = run_query(engine, source, FIRST, status=None)
    one = client.get(f"/v1/imports/{running}", headers=seller).json()
    assert (one["status"], one["vanished"], one["doing"]) == ("running", None, None)
    assert one["note"].startswith("no process is working on it")
    assert [row["external_id"] for row in one["rows"]] == ["1", "2", "3", "4"]


def test_reasons_and_notes_of_rows_are_in_the_language_of_the_caller(
    client: TestClient, engine: Engine, source: Source, seller: dict[str, str]
) -> None:
    url = f"/v1/imports/{run_query(engine, source, FIRST | {'9': ''})}?verdict=rejected"
    (english,) = client.get(url, headers=seller).json()["rows"]
    (french,) = client.get(url, headers=seller | {"Accept-Language": "fr"}).json()["rows"]
    assert english["reason"] == "it has no name"
    assert french["reason"] == "il n’a pas de nom"
    assert french["coded_reason"] == english["coded_reason"]


def test_the_diff_is_read_by_kind_page_by_page(client: TestClient, seller: dict[str, str], runs: list[int]) -> None:
    def diff(import_id: int, **asked: Any) -> dict[str, Any]:
        answer = client.get(f"/v1/imports/{import_id}/diff", params=asked, headers=seller)
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    told = diff(runs[1])
    assert told["counts"] == {"new": 1, "changed": 1, "unchanged": 2, "came_back": 0, "vanished": 1}
    assert (told["import"], told["compared_with"], told["items"]) == (runs[1], runs[0], [])
    found = {kind: [i["external_id"] for i in diff(runs[1], kind=kind)["items"]] for kind in told["counts"]}
    assert found == {"new": ["5"], "changed": ["2"], "unchanged": ["1", "4"], "came_back": [], "vanished": ["3"]}
    page = diff(runs[1], kind="unchanged", limit=1)
    rest = diff(runs[1], kind="unchanged", limit=1, cursor=page["next"])
    assert [i["external_id"] for i in page["items"] + rest["items"]] == ["1", "4"]
    assert rest["next"] is None
    assert "first complete import of its query" in diff(runs[0])["why_not"]


def test_an_admin_withdraws_what_vanished_and_nobody_else(
    client: TestClient, admin: dict[str, str], seller: dict[str, str], rival: dict[str, str], runs: list[int]
) -> None:
    first, second = (f"/v1/imports/{import_id}" for import_id in runs)
    assert client.get(f"{second}/diff", headers=rival).status_code == 404
    assert client.post(f"{second}/withdraw-vanished", headers=seller).status_code == 403
    gone = client.post(f"{second}/withdraw-vanished", headers=admin)
    assert (gone.status_code, gone.json()) == (200, {"withdrawn": 1, "kept": 0})
    withdrawn = client.get("/v1/listings", params={"status": "withdrawn"}, headers=seller).json()["items"]
    assert [listing["external_id"] for listing in withdrawn] == ["3"]
    refused = client.post(f"{first}/withdraw-vanished", json={"even_most": True}, headers=admin)
    assert refused.status_code == 409
    assert "does not tell what vanished" in refused.json()["detail"]


def test_a_collected_listing_tells_where_it_comes_from_and_under_which_terms(
    client: TestClient, seller: dict[str, str], runs: list[int]
) -> None:
    newest = client.get("/v1/listings", params={"q": "Millésimé"}, headers=seller).json()["items"][0]
    origin = client.get(f"/v1/listings/{newest['id']}", headers=seller).json()["provenance"]
    assert (origin["title"], origin["address"]) == ("Open Food Facts", "https://world.openfoodfacts.org/product/5")
    assert (origin["categories"], origin["import_id"]) == (["en:wines", "en:champagnes"], runs[1])
    assert origin["licence"]["name"] == "ODbL 1.0"
    sign_in(client, secret_of(seller))
    page = client.get(f"/listings/{newest['id']}").text
    assert '<a href="https://world.openfoodfacts.org/product/5" target="_blank" rel="noopener">' in page
    assert "Open Database License (ODbL 1.0)" in page
    assert "under CC BY-SA 3.0" in page
    posted = {"source": "shop", "external_id": "ours", "name": "Mug"}
    ours = client.post("/v1/listings", json=posted, headers=seller).json()["id"]
    assert client.get(f"/v1/listings/{ours}", headers=seller).json()["provenance"] is None
    assert "Where it comes from" not in client.get(f"/listings/{ours}").text
