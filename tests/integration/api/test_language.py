"""Reasons over HTTP: in English unless another language is asked for, with their codes beside."""

from __future__ import annotations

import json

from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from infra.store.dead_letters import give_up
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from tests.integration.api.part_of_a_worker import decide

FRENCH = {"Accept-Language": "fr-CA, en;q=0.5"}
LISTING = {"source": "shop", "external_id": "1", "name": "Blackout curtains"}


def test_a_decision_is_reasoned_in_the_language_asked_for(
    client: TestClient, admin: dict[str, str], engine: Engine
) -> None:
    posted = client.post("/v1/listings", json=LISTING, headers=admin).json()
    decide(engine)
    english, french = (
        client.get(f"/v1/listings/{posted['id']}", headers=admin | more).json()["revisions"][0]["decisions"][0]
        for more in ({}, FRENCH)
    )
    assert english["coded_reason"] == french["coded_reason"] == {"code": "no_model", "parameters": {}}
    assert (english["reason"], french["reason"]) == ("no model yet", "pas encore de modèle")


def test_a_decision_of_before_keeps_its_text(client: TestClient, admin: dict[str, str], engine: Engine) -> None:
    posted = client.post("/v1/listings", json=LISTING, headers=admin).json()
    decide(engine)
    newer = json.dumps({"code": "of a later program", "parameters": {}})
    for coded in (None, newer):
        with engine.begin() as connection:
            connection.execute(text("UPDATE decisions SET coded_reason = CAST(:coded AS jsonb)"), {"coded": coded})
        answer = client.get(f"/v1/listings/{posted['id']}", headers=admin | FRENCH)
        assert answer.json()["revisions"][0]["decisions"][0]["reason"] == "no model yet"
        assert answer.headers["Vary"] == "Accept-Language"


def test_dead_letters_are_searched_in_english_and_shown_in_the_language(
    client: TestClient, admin: dict[str, str], engine: Engine
) -> None:
    client.post("/v1/listings", json=LISTING, headers=admin)
    with engine.begin() as connection:
        job = connection.execute(text("SELECT id FROM jobs")).scalar_one()
        give_up(connection, [job], Reason.of(ReasonCode.ATTEMPTS_FAILED, n=8, error="Errno\x00 5"), "Traceback")
    found = client.get("/v1/dead-letters", params={"reason_contains": "attempts failed"}, headers=admin | FRENCH).json()
    assert found["items"][0]["reason"] == "8 tentatives ont échoué\u00a0; la dernière\u00a0: Errno 5"
    assert found["items"][0]["coded_reason"]["parameters"] == {"n": 8, "error": "Errno 5"}
    letter = client.get(f"/v1/dead-letters/{found['items'][0]['id']}", headers=admin).json()
    assert letter["reason"] == "8 attempts failed; the last: Errno 5"
