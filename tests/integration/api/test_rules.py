"""Rules over HTTP: listed, decided and proposed by those who may; what they cover, and where they conflict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from infra.store.unit_of_work import units_of_work
from pipeline.domain.rule_proposal import Grounds, RuleProposal
from pipeline.domain.source import Source
from pipeline.steps.review_listing import review
from tests.integration.infra.store.collected import collect
from tests.integration.records import add_categories, add_source, propose

Headers = dict[str, str]
WINE, CHAMPAGNE, JUICE, CHEESE = "Drinks >> Wine", "Drinks >> Wine >> Champagne", "Drinks >> Juice", "Food >> Cheese"
PRODUCTS = {
    "brut": ("en:beverages", "en:wines", "en:champagnes"),
    "rosé": ("en:beverages", "en:wines", "en:champagnes"),
    "red": ("en:beverages", "en:wines"),
    "apple": ("en:beverages", "en:juices"),
    "both": ("en:beverages", "en:juices", "en:cheeses"),
    "bag": ("en:bags",),
    "bare": (),
}
DECIDED = {"brut": CHAMPAGNE, "rosé": WINE, "red": JUICE, "apple": JUICE}
URL = "/v1/sources/shop/rules"


def proposed(name: str, category: str | None, score: float, support: int) -> RuleProposal:
    return RuleProposal(name, category, score, score, None, support, Grounds(names=score, texts=0.1))


PROPOSALS = (
    proposed("en:champagnes", CHAMPAGNE, 0.95, 2),
    proposed("en:wines", WINE, 0.9, 3),
    proposed("en:juices", JUICE, 0.85, 2),
    proposed("en:cheeses", CHEESE, 0.8, 1),
    proposed("en:beverages", "Drinks", 0.6, 5),
    proposed("en:bags", None, 0.4, 1),
)


@pytest.fixture
def shop(engine: Engine) -> Source:
    """Seven collected listings, four of them decided by a model, and a proposal for each of their categories."""
    source = add_source(engine, "shop")
    add_categories(engine, source, (CHAMPAGNE, JUICE, CHEESE))
    with engine.begin() as connection:
        collect(connection, source, PRODUCTS, decided=DECIDED)
    propose(engine, source, PROPOSALS)
    return source


def items(client: TestClient, headers: Headers, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(URL, headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    rules: list[dict[str, Any]] = answer.json()["items"]
    return rules


def coverage(client: TestClient, headers: Headers) -> dict[str, Any]:
    answer = client.get("/v1/sources/shop/coverage", headers=headers)
    assert answer.status_code == 200, answer.text
    covered: dict[str, Any] = answer.json()
    return covered


def said(rules: list[dict[str, Any]]) -> Mapping[str, str | None]:
    return {rule["source_category"]: rule["category"] for rule in rules}


@pytest.mark.usefixtures("shop")
def test_rules_are_listed_the_most_believed_first_page_by_page(client: TestClient, seller: Headers) -> None:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = client.get(URL, headers=seller, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert [rule["source_category"] for rule in found] == [rule.source_category for rule in PROPOSALS]
    assert {example["name"] for example in found[0]["examples"]} == {"brut", "rosé"}
    assert found[1]["support"] == 3
    assert client.get(URL, headers=seller, params={"cursor": "x"}).status_code == 422


@pytest.mark.usefixtures("seller", "shop")
def test_a_rule_is_accepted_refused_changed_and_opened_again(client: TestClient, admin: Headers) -> None:
    ids = {rule["source_category"]: rule["id"] for rule in items(client, admin)}
    accepted = client.post(f"{URL}/{ids['en:wines']}", headers=admin, json={})
    assert (accepted.json()["status"], accepted.json()["decided_by"]) == ("accepted", "admin")
    changed = client.post(f"{URL}/{ids['en:wines']}", headers=admin, json={"category": "Drinks"}).json()
    assert (changed["category"], changed["status"]) == ("Drinks", "accepted")
    assert changed["id"] != ids["en:wines"]
    client.post(f"{URL}/{ids['en:bags']}", headers=admin, json={"status": "refused"})
    assert said(items(client, admin, status="accepted")) == {"en:wines": "Drinks"}
    assert said(items(client, admin, status="refused")) == {"en:wines": WINE, "en:bags": None}
    opened = client.post(f"{URL}/{ids['en:bags']}", headers=admin, json={"status": "proposed"}).json()
    assert (opened["status"], opened["decided_by"]) == ("proposed", None)
    put = client.put(URL, headers=admin, json={"source_category": "en:hampers", "category": None}).json()
    assert (put["status"], put["category"]) == ("accepted", None)
    many = client.post(f"{URL}/accept", headers=admin, json={"score": 0.8})
    assert many.json() == {"accepted": 3}
    assert len(items(client, admin, status="accepted")) == 5
    lost = client.put(URL, headers=admin, json={"source_category": "en:x", "category": "Drinks >> Whine"})
    assert lost.status_code == 422
    assert f"similar categories: {WINE}" in lost.json()["detail"]
    made = client.put(URL, headers=admin, json={"source_category": "en:x", "category": "New >> One", "new": True})
    assert made.json()["category"] == "New >> One"


@pytest.mark.usefixtures("shop")
def test_coverage_and_conflicts_are_told_with_listings(client: TestClient, admin: Headers, engine: Engine) -> None:
    told = coverage(client, admin)
    assert (told["listings"], told["mapped"], told["proposed"], told["none"]) == (7, 0, 6, 1)
    for rule in items(client, admin):
        if rule["source_category"] != "en:beverages":
            client.post(f"{URL}/{rule['id']}", headers=admin, json={})
    told = coverage(client, admin)
    assert (told["mapped"], told["proposed"], told["nothing"], told["none"]) == (5, 0, 1, 1)
    assert told["shares"]["mapped"] == pytest.approx(5 / 7)
    assert told["rules"] == {"proposed": 1, "accepted": 5, "refused": 0}
    (pair,) = told["contradicting"]
    assert {pair["one"]["category"], pair["other"]["category"]} == {JUICE, CHEESE}
    assert (pair["listings"], told["in_conflict"]) == (1, 1)
    assert pair["examples"][0]["name"] == "both"
    # A decision above the rule's category is none against it, and "brut" is not of the rule for wines alone.
    (against,) = told["contradicted"]
    assert against["rule"]["source_category"] == "en:wines"
    assert (against["applies"], against["decided"], against["decided_against"]) == (1, 1, 1)
    assert against["examples"] == [{"id": against["examples"][0]["id"], "name": "red", "category": JUICE}]
    apple = next(e["id"] for rule in items(client, admin) for e in rule["examples"] if e["name"] == "apple")
    review(units_of_work(engine), apple, CHEESE, "Ada", "")
    first = coverage(client, admin)["contradicted"][0]
    assert (first["rule"]["source_category"], first["reviewed"], first["reviewed_against"]) == ("en:juices", 1, 1)


def test_many_listings_are_counted_in_part(
    client: TestClient, admin: Headers, shop: Source, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.begin() as connection:
        collect(connection, shop, {f"n{n}": ("en:wines",) for n in range(200)})
    monkeypatch.setattr("infra.store.rules.coverage_and_conflicts.MAX_COUNTED_LISTINGS", 70)
    told = coverage(client, admin)
    assert told["listings"] == 207
    assert 30 < told["counted"] < 120
    assert sum(told["shares"].values()) == pytest.approx(1)


@pytest.mark.usefixtures("shop")
def test_proposing_is_asked_for_once(client: TestClient, admin: Headers) -> None:
    first, second = (client.post(f"{URL}/propose", headers=admin) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert coverage(client, admin)["proposing"]["state"] == "waiting"


@pytest.mark.usefixtures("shop")
def test_who_may_not_neither_sees_nor_changes(client: TestClient, seller: Headers, rival: Headers) -> None:
    asked = [("GET", URL), ("GET", "/v1/sources/shop/coverage"), ("GET", f"{URL}/1")]
    for method, url in asked:
        assert client.request(method, url, headers=seller).status_code == 200
        assert client.request(method, url, headers=rival).status_code == 404
        assert client.request(method, url).status_code == 401
    for method, url, body in [
        ("PUT", URL, {"source_category": "en:x", "category": None}),
        ("POST", f"{URL}/1", {}),
        ("POST", f"{URL}/accept", {"score": 0}),
        ("POST", f"{URL}/propose", None),
    ]:
        assert client.request(method, url, headers=seller, json=body).status_code == 403, url
    assert client.get("/v1/sources/rival/rules/1", headers=rival).status_code == 404, "of another source"
    assert {rule["status"] for rule in items(client, seller)} == {"proposed"}


def test_a_source_with_a_slash_in_its_name_is_found(client: TestClient, admin: Headers, engine: Engine) -> None:
    add_source(engine, "a/b")
    assert client.get("/v1/sources/a%2Fb/rules", headers=admin).json() == {"items": [], "next": None}
    assert client.get("/v1/sources/a%2Fb/coverage", headers=admin).json()["shares"]["mapped"] == 0
