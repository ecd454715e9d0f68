"""Batches: JSON and NDJSON, a verdict for each row."""

from __future__ import annotations

import json

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

NDJSON = {"Content-Type": "application/x-ndjson"}


def row(n: int, **changes: object) -> dict[str, object]:
    return {"source": "shop", "external_id": f"b-{n}", "name": f"Listing {n}"} | changes


def verdicts(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 207, answer.text
    return [r["verdict"] for r in answer.json()["rows"]]


@pytest.mark.usefixtures("rival")
def test_every_row_has_its_verdict_and_a_bad_one_spoils_none(client: TestClient, seller: dict[str, str]) -> None:
    client.post("/v1/listings/batch", json=[row(1), row(2)], headers=seller)
    rows = [
        row(1),
        row(2, name="changed"),
        row(3),
        row(4, name="x" * 2001),
        7,
        row(5, source="rival"),
        row(3, name="n"),
    ]
    answer = client.post("/v1/listings/batch", json=rows, headers=seller)
    assert verdicts(answer) == ["unchanged", "changed", "new", "rejected", "rejected", "rejected", "changed"]
    body = answer.json()
    assert (body["new"], body["changed"], body["unchanged"], body["rejected"]) == (1, 2, 1, 3)
    assert [r["row"] for r in body["rows"]] == list(range(1, 8))
    assert "the name has 2,001 characters" in body["rows"][3]["why"]
    assert body["rows"][4]["why"] == "the row is not a JSON object"
    assert "no source 'rival'" in body["rows"][5]["why"]


def test_ndjson_with_a_broken_line(client: TestClient, seller: dict[str, str], engine: Engine) -> None:
    body = f'{json.dumps(row(1))}\n{{"source": \n\n{json.dumps(row(2))}\r\n'
    answer = client.post("/v1/listings/batch", params={"priority": "backfill"}, content=body, headers=seller | NDJSON)
    assert verdicts(answer) == ["new", "rejected", "new"]
    assert "not well-formed JSON" in answer.json()["rows"][1]["why"]
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT priority FROM jobs")).all() == ["backfill", "backfill"]


def test_idempotency_key_covers_a_batch_of_several_sources(client: TestClient, admin: dict[str, str]) -> None:
    key = admin | {"Idempotency-Key": "batch"}
    rows = [row(1), row(2, source="other")]
    first = client.post("/v1/listings/batch", json=rows, headers=key)
    assert verdicts(first) == ["new", "new"]
    assert client.post("/v1/listings/batch", json=rows, headers=key).json() == first.json()
    assert client.post("/v1/listings/batch", json=rows[1:], headers=key).status_code == 422


def test_a_thousand_rows_and_not_one_more(client: TestClient, seller: dict[str, str]) -> None:
    rows = [row(n) for n in range(1001)]
    assert client.post("/v1/listings/batch", json=rows, headers=seller).status_code == 422
    assert client.post("/v1/listings/batch", json=[], headers=seller).status_code == 422
    answer = client.post("/v1/listings/batch", json=rows[:1000], headers=seller)
    assert answer.json()["new"] == 1000


def test_what_is_no_batch(client: TestClient, seller: dict[str, str]) -> None:
    assert client.post("/v1/listings/batch", content=b"[{", headers=seller).status_code == 400
    assert client.post("/v1/listings/batch", content=b"[" * 100_000, headers=seller).status_code == 400
    assert client.post("/v1/listings/batch", json=row(1), headers=seller).status_code == 422
