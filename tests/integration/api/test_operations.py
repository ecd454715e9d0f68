"""Health, metrics, backpressure, and errors as problem documents."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from api.app import create_app
from tests.integration.api.conftest import SettingsMaker
from tests.integration.api.part_of_a_worker import give_model

LISTING = {"source": "shop", "external_id": "o-1", "name": "Curtains"}


@pytest.mark.usefixtures("engine")
def test_ready_says_in_words_what_is_degraded(settings_with: SettingsMaker, redis_url: str) -> None:
    with TestClient(create_app(settings_with(broker_url=redis_url))) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 200
        parts = answer.json()["parts"]
        assert {name: part["status"] for name, part in parts.items()} == {
            "database": "ok",
            "broker": "ok",
            "storage": "ok",
            "model": "ok",
            "backlog": "ok",
            "workers": "degraded",
        }
        assert "rayon worker" in parts["workers"]["detail"]
    with TestClient(create_app(settings_with(broker_url="redis://127.0.0.1:1/0"))) as client:
        degraded = client.get("/readyz")
        assert (degraded.status_code, degraded.json()["parts"]["broker"]["status"]) == (200, "degraded")


def test_a_model_that_workers_cannot_read_shows_as_degraded(
    client: TestClient, seller: dict[str, str], engine: Engine
) -> None:
    client.post("/v1/listings", json=LISTING, headers=seller)
    give_model(engine, "shop")
    assert client.get("/readyz").json()["parts"]["model"]["status"] == "ok"
    with engine.begin() as connection:
        connection.execute(text("UPDATE model_versions SET problem = 'saved by version 1'"))
    shown = client.get("/readyz")
    assert (shown.status_code, shown.json()["parts"]["model"]["status"]) == (200, "degraded")
    detail = shown.json()["parts"]["model"]["detail"]
    assert "cannot read the active model of shop" in detail
    assert "(saved by version 1); run: rayon train --taxonomy 'shop' --promote" in detail


def test_without_the_database_live_but_not_ready(settings_with: SettingsMaker) -> None:
    settings = settings_with(database_url="postgresql+psycopg2://nobody@127.0.0.1:1/none")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        answer = client.get("/v1/listings", headers={"Authorization": "Bearer rk_x"})
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "127.0.0.1" not in answer.text


def test_metrics_tell_the_backlog_and_the_requests(client: TestClient, seller: dict[str, str]) -> None:
    client.post("/v1/listings", json=LISTING, headers=seller)
    client.get("/v1/listings/1", headers=seller)
    lines = client.get("/metrics").text.splitlines()
    assert 'rayon_jobs{kind="categorise",priority="pipeline",state="waiting"} 1.0' in lines
    assert 'rayon_requests_total{method="POST",route="/v1/listings",status="202"} 1.0' in lines
    assert any(line.startswith('rayon_requests_total{method="GET",route="/v1/listings/{listing_id}"') for line in lines)
    assert any(line.startswith('rayon_oldest_waiting_seconds{priority="pipeline"}') for line in lines)
    assert "rayon_dead_letters 0.0" in lines
    summary = client.get("/v1/jobs/summary", headers=seller).json()
    assert (summary["waiting"], summary["out"]) == (1, 0)


def test_backpressure_refuses_by_priority_and_never_backfill(
    client: TestClient, seller: dict[str, str], engine: Engine, settings_with: SettingsMaker
) -> None:
    client.post("/v1/listings", json=LISTING, headers=seller)
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET not_before = now() - interval '1 hour'"))
    with TestClient(create_app(settings_with())) as fresh:  # another process, which has not looked yet
        refused = fresh.post("/v1/listings", json=LISTING | {"external_id": "o-2"}, headers=seller)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 5
        assert "have been waiting for 3,6" in refused.json()["detail"]
        ready = fresh.get("/readyz").json()["parts"]["backlog"]
        assert ready["status"] == "degraded"
        batch = [LISTING | {"external_id": "o-3"}]
        for priority, status in (("pipeline", 429), ("import", 207), ("backfill", 207)):
            answer = fresh.post("/v1/listings/batch", params={"priority": priority}, json=batch, headers=seller)
            assert answer.status_code == status
        waited = fresh.post("/v1/listings", json=LISTING, headers=seller | {"Prefer": "wait=0"})
        assert waited.status_code == 200
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM listings WHERE external_id = 'o-2'")) == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PATCH", "/v1/listings", 405), ("GET", "/v1/listings?cursor=x", 422)],
)
def test_every_error_is_a_problem_document(
    client: TestClient, seller: dict[str, str], method: str, path: str, status: int
) -> None:
    answer = client.request(method, path, headers=seller)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"name": "a', b"[" * 100_000])
def test_malformed_json_is_400(client: TestClient, seller: dict[str, str], body: bytes) -> None:
    answer = client.post("/v1/listings", content=body, headers=seller | {"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_a_body_too_large_is_413_declared_or_not(client: TestClient, seller: dict[str, str]) -> None:
    body = json.dumps(LISTING | {"description": "x" * 9_000_000}).encode()
    headers = seller | {"Content-Type": "application/json"}
    for content in (body, (part for part in (body[:5_000_000], body[5_000_000:]))):
        answer = client.post("/v1/listings", content=content, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_the_unforeseen_is_500_without_a_traceback(client: TestClient, seller: dict[str, str], engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE events RENAME TO elsewhere"))
    made = client.post("/v1/listings", json=LISTING, headers=seller).json()
    answer = client.get(f"/v1/listings/{made['id']}", headers=seller)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "events" not in answer.text


def test_openapi_has_examples(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert "example" in document["paths"]["/v1/listings"]["post"]["requestBody"]["content"]["application/json"]
    assert client.get("/docs").status_code == 200
