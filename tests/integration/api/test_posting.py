"""Posting listings: accepted once, refused with a reason, idempotent under races."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

JSON = {"Content-Type": "application/json"}
CURTAINS = {"source": "shop", "external_id": "c-1", "name": "Blackout curtains"}


def post(client: TestClient, key: dict[str, str], **changes: object) -> httpx.Response:
    answer: httpx.Response = client.post("/v1/listings", json=CURTAINS | changes, headers=key)
    return answer


def test_new_same_and_changed_content(client: TestClient, seller: dict[str, str]) -> None:
    first = post(client, seller)
    assert first.status_code == 202
    assert first.headers["Location"] == f"/v1/listings/{first.json()['id']}"
    assert first.json() | {"id": 0} == {
        "id": 0,
        "external_id": "c-1",
        "source": "shop",
        "revision": 1,
        "verdict": "new",
        "status": "pending",
        "priority": "pipeline",
        "decision": None,
    }
    again = post(client, seller)
    assert (again.status_code, again.json()["verdict"], again.json()["priority"]) == (200, "unchanged", None)
    changed = post(client, seller, description="two panels")
    assert (changed.status_code, changed.json()["verdict"], changed.json()["revision"]) == (202, "changed", 2)
    assert changed.json()["id"] == first.json()["id"]


def test_withdrawn_listing_leaves_the_list_and_its_jobs_end(
    client: TestClient, seller: dict[str, str], engine: Engine
) -> None:
    made = post(client, seller).json()
    assert client.delete(f"/v1/listings/{made['id']}", headers=seller).status_code == 204
    assert client.get("/v1/listings", headers=seller).json()["items"] == []
    assert len(client.get("/v1/listings", params={"status": "withdrawn"}, headers=seller).json()["items"]) == 1
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT state FROM jobs")).all() == ["superseded"]
    assert post(client, seller).json()["verdict"] == "changed"


@pytest.mark.parametrize(
    ("changes", "pointer", "sentence"),
    [
        ({"name": "x" * 100_000}, "/name", "the name has 100,000 characters, at most 2,000 are allowed"),
        ({"description": "x" * 100_001}, "/description", "at most 100,000"),
        ({"attributes": {str(n): "x" for n in range(201)}}, "/attributes", "201 attributes, at most 200"),
        ({"attributes": {"size": "x" * 2001}}, "/attributes", "the attribute 'size' has 2,001 characters"),
        ({"images": [f"https://example.com/{n}" for n in range(21)]}, "/images", "21 images, at most 20"),
        ({"name": " \x00 "}, "/", "give a name, a description or an image"),
        ({"external_id": ""}, "/external_id", "empty"),
        ({"external_id": "x" * 201}, "/external_id", "201 characters, at most 200"),
        ({"category": " >> "}, "/category", "the category is empty"),
        ({"nmae": "typo"}, "/nmae", "Extra inputs are not permitted"),
        ({"name": 7.5, "attributes": ["a"]}, "/attributes", "JSON object"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_place_and_the_reason(
    client: TestClient, seller: dict[str, str], changes: dict[str, object], pointer: str, sentence: str
) -> None:
    answer = post(client, seller, **changes)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    [problem] = answer.json()["errors"]
    assert problem["pointer"] == pointer
    assert sentence in problem["detail"]


def test_nul_goes_and_emoji_and_right_to_left_text_stay(client: TestClient, seller: dict[str, str]) -> None:
    body = CURTAINS | {
        "name": "ستائر\x00 🪟 \u202bمعتمة\u202c",
        "description": "a\x00b\ud83d",
        "attributes": {"a\x00": "1"},
    }
    posted = client.post("/v1/listings", content=json.dumps(body), headers=seller | JSON)
    assert posted.status_code == 202
    [revision] = client.get(posted.headers["Location"], headers=seller).json()["revisions"]
    assert revision["name"] == "ستائر 🪟 \u202bمعتمة\u202c"
    assert revision["description"] == "ab?"
    assert revision["attributes"] == {"a": "1"}


@pytest.mark.parametrize(
    "image", ["uploads/999/photo", "images/abc", "models/secret", "ftp://example.com/a.jpg", "http://", "http://[::1"]
)
def test_images_are_own_uploads_or_addresses(client: TestClient, seller: dict[str, str], image: str) -> None:
    answer = post(client, seller, images=[image])
    assert answer.status_code == 422
    assert image in answer.json()["detail"]


def test_idempotency_key_replays_the_answer_and_refuses_another_body(
    client: TestClient, seller: dict[str, str]
) -> None:
    key = seller | {"Idempotency-Key": "order-1"}
    first = post(client, key)
    again = post(client, key)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    other = post(client, key, name="something else")
    assert other.status_code == 422
    assert "used before with another body" in other.json()["detail"]


def test_two_concurrent_posts_with_one_idempotency_key_make_one_listing(
    address: str, seller: dict[str, str], engine: Engine
) -> None:
    def one(_: int) -> httpx.Response:
        return httpx.post(f"{address}/v1/listings", json=CURTAINS, headers=seller | {"Idempotency-Key": "race"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    assert {(a.status_code, a.text) for a in answers} == {(202, answers[0].text)}
    with engine.connect() as connection:
        counts = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM listings), (SELECT count(*) FROM revisions), (SELECT count(*) FROM jobs)"
            )
        ).one()
    assert tuple(counts) == (1, 1, 1)
