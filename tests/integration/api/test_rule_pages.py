"""The guards of the page of rules: who may see and decide, forged forms, headers; and grounds as sentences."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qsl

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.rules.grounds_wording import grounds_in_words
from infra.store.rules.queries import count_rules
from pipeline.domain.rule import RuleStatus
from pipeline.domain.rule_proposal import Grounds, RivalCategory
from pipeline.domain.source import Source
from pipeline.localisation.localised_text import Language
from tests.integration.api.test_pages import HTML, secret_of, sign_in
from tests.integration.api.test_rules import CHAMPAGNE, PROPOSALS, proposed, shop
from tests.integration.infra.store.collected import collect
from tests.integration.records import add_key, add_source, propose

__all__ = ["shop"]
FORMS = ("/rules", "/rules/propose", "/rules/accept", "/rules/1")


def test_only_an_admin_decides_and_only_by_a_form_of_ours(
    client: TestClient, admin: dict[str, str], engine: Engine, shop: Source
) -> None:
    reader = add_key(engine, "reader", ["read"])
    assert client.get("/rules", headers=HTML, follow_redirects=False).headers["location"] == "/login?next=/rules"
    fields = {"source": "shop", "source_category": "en:x", "score": "0", "do": "accept"}
    token = sign_in(client, reader)
    assert '<form method="post" action="/rules' not in client.get("/rules").text
    for path in FORMS:
        assert client.post(path, data=fields | {"token": token}, headers=HTML).status_code == 403, path
    token = sign_in(client, secret_of(admin))
    for path in FORMS:
        assert client.post(path, data=fields | {"token": "guessed"}, headers=HTML).status_code == 403, path
    with engine.connect() as connection:
        assert count_rules(connection, shop.id)[RuleStatus.PROPOSED] == len(PROPOSALS)
    for score, status in (("x", 422), ("2", 422), ("nan", 422), ("0.9", 303)):
        form = {"token": token, "source": "shop", "score": score}
        assert client.post("/rules/accept", data=form, follow_redirects=False).status_code == status, score
    with engine.connect() as connection:
        assert count_rules(connection, shop.id)[RuleStatus.ACCEPTED] == 2
    lost = {"token": token, "source": "shop", "do": "accept"}
    assert client.post("/rules/999", data=lost, headers=HTML).status_code == 404


def test_the_page_allows_nothing_inline_and_names_are_no_markup(
    client: TestClient, admin: dict[str, str], engine: Engine, shop: Source
) -> None:
    with engine.begin() as connection:
        collect(connection, shop, {"odd": ("<b>odd",)}, {"odd": "<i>name"})
    propose(engine, shop, [*PROPOSALS, proposed("<b>odd", CHAMPAGNE, 0.5, 1)])
    sign_in(client, secret_of(admin))
    page = client.get("/rules?source=shop&status=all")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert " style=" not in page.text
    assert "<script>" not in page.text
    assert "&lt;b&gt;odd" in page.text
    assert "<i>name" not in page.text
    assert client.get("/rules?source=none", headers=HTML).status_code == 404
    assert client.get("/rules?cursor=damaged", headers=HTML).status_code == 422


@pytest.mark.usefixtures("shop")
def test_a_key_sees_the_rules_of_its_own_sources_only(
    client: TestClient, seller: dict[str, str], rival: dict[str, str], engine: Engine
) -> None:
    sign_in(client, secret_of(seller))
    assert "en:champagnes" in client.get("/rules").text
    sign_in(client, secret_of(rival))
    assert "No products have been collected" in client.get("/rules").text
    assert client.get("/rules?source=shop", headers=HTML).status_code == 404
    add_source(engine, "rival")
    assert client.get("/rules?source=rival").status_code == 200


def test_more_rules_follow_and_a_decision_leads_back_to_where_one_was(
    client: TestClient, admin: dict[str, str], engine: Engine, shop: Source
) -> None:
    propose(engine, shop, [proposed(f"en:odd-{n:02}", CHAMPAGNE, 0.9 - n / 100, n % 3) for n in range(45)])
    token = sign_in(client, secret_of(admin))
    first = client.get("/rules").text
    assert first.count('class="theirs"') == 40
    more = re.search(r'href="/rules\?([^"]*cursor=[^"]*)"', first)
    assert more
    query = dict(parse_qsl(unescape(more[1])))
    second = client.get("/rules", params=query).text
    assert (second.count('class="theirs"'), "en:odd-44" in second) == (5, True)
    rule = re.search(r'action="/rules/(\d+)"', second)
    assert rule
    form = {"token": token, "do": "refuse"} | query
    led = client.post(f"/rules/{rule[1]}", data=form, follow_redirects=False).headers["location"]
    assert dict(parse_qsl(led.partition("?")[2])) == query
    assert client.get(led).text.count('class="theirs"') == 4


@pytest.mark.parametrize(
    ("grounds", "category", "sentence"),
    [
        (Grounds(names=1.0, texts=0.7, decided=3, agreeing=2), "A", "The names are the same. Its listings read"),
        (
            Grounds(names=0.5, texts=0.3),
            "A",
            "50\u00a0% similar. Its listings read somewhat like those",
        ),
        (Grounds(names=0.1, texts=0.1, decided=3, agreeing=2), "A", "2 of its 3 decided listings lie there."),
        (Grounds(names=0.1, contradiction=0.3), None, "These contradict each other."),
        (Grounds(rivals=(RivalCategory("B", 0.25),)), "A", "It might also mean B (25\u00a0%)."),
    ],
)
def test_grounds_are_written_as_sentences(grounds: Grounds, category: str | None, sentence: str) -> None:
    assert sentence in " ".join(grounds_in_words(Language("en"), grounds, category))


def test_a_rule_that_was_not_proposed_has_no_grounds_to_show() -> None:
    assert grounds_in_words(Language("en"), None, "A") == []
