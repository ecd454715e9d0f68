"""Trainings over HTTP: started once, followed, and read by those whose sources the model decides for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from infra.storage.factory import open_storage
from infra.storage.model_registry import StorageModelRegistry
from tests.integration.records import add_model, add_source

Headers = dict[str, str]


@pytest.fixture
def shop(engine: Engine) -> str:
    """A taxonomy with one source."""
    return add_source(engine, "shop").taxonomy


def jobs(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT queue::text, payload FROM jobs WHERE kind = 'train' ORDER BY id")))


def registry_in(home: Path) -> StorageModelRegistry:
    """Model files where the app of these tests has its storage."""
    return StorageModelRegistry(open_storage(f"file://{home}/objects", public_url="", secret=""), home / "cache")


def end(engine: Engine, note: str) -> None:
    statement = text("UPDATE jobs SET state = 'done', progress = 1, note = :note, ended_at = now()")
    with engine.begin() as connection:
        connection.execute(statement, {"note": note})


def test_a_training_is_started_once_and_can_be_followed(
    client: TestClient, admin: Headers, engine: Engine, shop: str
) -> None:
    asked = {"taxonomy": shop, "level": 2, "choose": 15, "views": 2, "seed": 7, "afresh": True, "promote": True}
    first = client.post("/v1/trainings", json=asked, headers=admin)
    assert first.status_code == 202
    place = first.headers["Location"]
    assert place == f"/v1/trainings/{first.json()['id']}"
    again = client.post("/v1/trainings", json={}, headers=admin)
    assert (again.status_code, again.headers["Location"]) == (200, place)
    ((queue, payload),) = jobs(engine)
    assert queue == "training"
    assert {name: payload[name] for name in ("level", "views", "seed", "afresh", "promote", "finetune")} == {
        "level": 2, "views": 2, "seed": 7, "afresh": True, "promote": True, "finetune": False,
    }  # fmt: skip
    assert float(payload["choose"]) == 15
    followed = client.get(place, headers=admin).json()
    assert (followed["taxonomy"], followed["state"], followed["progress"]) == (shop, "waiting", 0)
    assert (followed["model_id"], followed["ended_at"]) == (None, None)
    assert "taxonomy_id" not in followed["plan"]


@pytest.mark.usefixtures("shop")
def test_a_training_that_has_ended_names_its_model_version(
    client: TestClient, admin: Headers, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "squeezenet.h5").write_bytes(b"weights")
    registry_in(tmp_path).add_weights("squeezenet", tmp_path / "squeezenet.h5")
    asked = {"image_extractors": ["fisher", "squeezenet", "fisher"]}
    training = client.post("/v1/trainings", json=asked, headers=admin).json()["id"]
    assert jobs(engine)[0].payload["image_extractors"] == ["fisher", "squeezenet"]
    with engine.connect() as connection:
        taxonomy_id = connection.scalar(text("SELECT id FROM taxonomies"))
    add_model(engine, taxonomy_id, {"training": training - 1})
    model_id = add_model(engine, taxonomy_id, {"training": training}, promote=False)
    end(engine, "model version 2 is a candidate")
    followed = client.get(f"/v1/trainings/{training}", headers=admin).json()
    assert (followed["state"], followed["progress"], followed["model_id"]) == ("done", 1, model_id)
    assert followed["note"] == "model version 2 is a candidate"
    assert followed["ended_at"] is not None
    assert client.post("/v1/trainings", json={}, headers=admin).status_code == 202


@pytest.mark.usefixtures("shop")
def test_the_same_idempotency_key_gives_the_same_training_even_when_that_has_ended(
    client: TestClient, admin: Headers, engine: Engine
) -> None:
    once = admin | {"Idempotency-Key": "night-1"}
    first = client.post("/v1/trainings", json={"level": 1}, headers=once)
    end(engine, "")
    again = client.post("/v1/trainings", json={"level": 1}, headers=once)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert len(jobs(engine)) == 1
    mistaken = client.post("/v1/trainings", json={"level": 2}, headers=once)
    assert mistaken.status_code == 422
    assert "was used before" in mistaken.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"taxonomy": "nobody's"}, 404, "there is no taxonomy"),
        ({"level": 0}, 422, "level"),
        ({"choose": "cheapest"}, 422, "choose"),
        ({"choose": 0}, 422, "choose"),
        ({"choose": "best", "image_extractors": ["fisher"]}, 422, "leave out image_extractors"),
        ({"image_extractors": ["../fisher"]}, 422, "image_extractors"),
        ({"image_extractors": ["telepathy"]}, 422, "supported: bag_of_words"),
        (
            {"image_extractors": ["tfidf"]},
            422,
            "photos are read by: sift, fisher, efficientnet, efficientnet_lite2, vgg16, squeezenet",
        ),
        ({"image_extractors": ["fisher", "vgg16"]}, 409, "rayon models fetch vgg16"),
        ({"views": 21}, 422, "views"),
        ({"seed": -1}, 422, "seed"),
        ({"epochs": 3}, 422, "epochs"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_what_cannot_be_trained_is_refused(
    client: TestClient, admin: Headers, engine: Engine, body: dict[str, Any], status: int, said: str
) -> None:
    answer = client.post("/v1/trainings", json=body, headers=admin)
    assert answer.status_code == status
    assert said in answer.text
    assert jobs(engine) == []


def test_who_may_start_and_who_may_follow(
    client: TestClient, admin: Headers, seller: Headers, rival: Headers, engine: Engine, shop: str
) -> None:
    assert client.post("/v1/trainings", json={}).status_code == 401
    assert client.post("/v1/trainings", json={}, headers=seller).status_code == 403
    with engine.begin() as connection:
        # Sources without a taxonomy of their own share one.
        other = connection.scalar(text("INSERT INTO taxonomies (name) VALUES ('elsewhere') RETURNING id"))
        connection.execute(text("UPDATE sources SET taxonomy_id = :id WHERE name = 'rival'"), {"id": other})
    place = client.post("/v1/trainings", json={"taxonomy": shop}, headers=admin).headers["Location"]
    assert client.get(place, headers=seller).status_code == 200
    assert client.get(place, headers=rival).status_code == 404
    assert client.get("/v1/trainings/999", headers=admin).status_code == 404
    with engine.begin() as connection:
        job = connection.scalar(text("UPDATE jobs SET kind = 'purge' RETURNING id"))
    assert client.get(f"/v1/trainings/{job}", headers=admin).status_code == 404
