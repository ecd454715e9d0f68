"""Imports from product databases asked for over HTTP, once or again and again, by those who may."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

Headers = dict[str, str]
CHAMPAGNES = {"database": "openfoodfacts", "category": "champagnes", "limit": 10}


def rows(engine: Engine, statement: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def test_an_import_is_asked_for_once(client: TestClient, admin: Headers, engine: Engine) -> None:
    first = client.post("/v1/imports", json=CHAMPAGNES, headers=admin)
    assert first.status_code == 202
    found = first.json()
    assert first.headers["Location"] == f"/v1/imports/{found['id']}"
    assert (found["source"], found["status"], found["database"]) == ("openfoodfacts", "running", "openfoodfacts")
    assert found["query"] == {"kind": "category", "value": "champagnes", "limit": 10}
    assert "Open Database License" in found["licence"]["attribution"]
    assert client.get(first.headers["Location"], headers=admin).json()["doing"]
    again = client.post("/v1/imports", json={**CHAMPAGNES, "category": " champagnes "}, headers=admin)
    assert (again.status_code, again.json()["id"]) == (200, found["id"])
    whole = {"database": "openfoodfacts", "export": "published", "source": "drinks"}
    other = client.post("/v1/imports", json=whole, headers=admin)
    assert (other.status_code, other.json()["source"]) == (202, "drinks")
    assert other.json()["query"] == {"kind": "export", "value": "", "limit": None}
    assert (
        rows(engine, "SELECT queue::text, priority::text, state::text FROM jobs")
        == [("collecting", "import", "waiting")] * 2
    )


def test_the_same_idempotency_key_gives_the_same_import_even_when_that_has_ended(
    client: TestClient, admin: Headers, engine: Engine
) -> None:
    once = admin | {"Idempotency-Key": "night-1"}
    first = client.post("/v1/imports", json=CHAMPAGNES, headers=once)
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET state = 'done', ended_at = now()"))
        connection.execute(text("UPDATE imports SET status = 'done', ended_at = now()"))
    again = client.post("/v1/imports", json=CHAMPAGNES, headers=once)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert rows(engine, "SELECT count(*) FROM imports") == [(1,)]
    mistaken = client.post("/v1/imports", json={**CHAMPAGNES, "limit": 11}, headers=once)
    assert mistaken.status_code == 422
    assert "was used before" in mistaken.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({**CHAMPAGNES, "database": "openfoodfact"}, "there is no product database 'openfoodfact'"),
        ({"database": "openfoodfacts"}, "by one of category, text, barcodes, export and changes"),
        ({**CHAMPAGNES, "text": "brut"}, "by one of"),
        ({**CHAMPAGNES, "limit": 0}, "/limit"),
        ({"database": "openfoodfacts", "export": "/etc/passwd"}, "an export is 'published'"),
        ({"database": "openfoodfacts", "export": "http://169.254.169.254/"}, "an export is 'published'"),
        ({"database": "openfoodfacts", "barcodes": ["3017620422003,1"]}, "one barcode per item"),
        ({**CHAMPAGNES, "page": 2}, "/page"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(
    client: TestClient, admin: Headers, engine: Engine, asked: dict[str, Any], said: str
) -> None:
    answer = client.post("/v1/imports", json=asked, headers=admin)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert rows(engine, "SELECT count(*) FROM imports, sources") == [(0,)]


def test_only_an_admin_asks_and_a_bound_key_sees_its_own_only(
    client: TestClient, admin: Headers, seller: Headers, rival: Headers
) -> None:
    asked = {**CHAMPAGNES, "source": "shop"}
    for path in ("/v1/imports", "/v1/collections"):
        assert client.post(path, json=CHAMPAGNES).status_code == 401
        assert client.post(path, json=asked, headers=seller).status_code == 403
    made = client.post("/v1/collections", json={**asked, "every": 3600}, headers=admin)
    place = made.headers["Location"]
    assert client.get(place, headers=seller).json() == made.json()
    assert client.get(place, headers=rival).status_code == 404
    for change in (client.patch(place, json={"paused": True}, headers=seller), client.delete(place, headers=seller)):
        assert change.status_code == 403
    assert [c["source"] for c in client.get("/v1/collections", headers=seller).json()["items"]] == ["shop"]
    assert client.get("/v1/collections", headers=rival).json()["items"] == []


@pytest.mark.usefixtures("engine")
def test_a_collection_is_kept_changed_run_and_removed(client: TestClient, admin: Headers) -> None:
    asked = {**CHAMPAGNES, "every": "0 3 * * *"}
    made = client.post("/v1/collections", json=asked, headers=admin)
    assert made.status_code == 201
    place, found = made.headers["Location"], made.json()
    assert place == f"/v1/collections/{found['id']}"
    due = datetime.fromisoformat(found["next_at"]).astimezone(UTC)
    assert (due.hour, due.minute, due > datetime.now(UTC)) == (3, 0, True)
    again = client.post("/v1/collections", json={**asked, "every": 3600}, headers=admin)
    assert (again.status_code, again.json()["id"], again.json()["schedule"]) == (200, found["id"], "every 3600")

    paused = client.patch(place, json={"paused": True}, headers=admin).json()
    assert (paused["paused"], paused["next_at"], paused["schedule"]) == (True, None, "every 3600")
    resumed = client.patch(place, json={"paused": False, "every": "@daily"}, headers=admin).json()
    assert (resumed["paused"], resumed["schedule"]) == (False, "@daily")
    assert client.get(place, headers=admin).json() == resumed

    run = client.post(f"{place}/run", headers=admin)
    assert run.status_code == 202
    assert run.json()["collection"] == found["id"]
    assert client.post(f"{place}/run", headers=admin).status_code == 200
    (shown,) = client.get("/v1/collections", headers=admin).json()["items"]
    assert (shown["last_import_id"], shown["last_status"]) == (run.json()["id"], "running")

    assert client.delete(place, headers=admin).status_code == 204
    assert client.get(place, headers=admin).status_code == 404
    assert client.delete(place, headers=admin).status_code == 404
    assert client.get(run.headers["Location"], headers=admin).json()["collection"] is None


@pytest.mark.parametrize("every", ["now and then", "0 3 30 2 *", 0, -1, 1.5, True, ""])
def test_a_wrong_schedule_is_refused(client: TestClient, admin: Headers, every: object) -> None:
    kept = client.post("/v1/collections", json=CHAMPAGNES, headers=admin)
    assert kept.json()["schedule"] is None
    for answer in (
        client.post("/v1/collections", json={**CHAMPAGNES, "every": every}, headers=admin),
        client.patch(kept.headers["Location"], json={"every": every}, headers=admin),
    ):
        assert answer.status_code == 422
    assert client.get(kept.headers["Location"], headers=admin).json()["schedule"] is None
