"""Lists, cursors, the review queue, the story of a listing; models, dead letters, imports."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from infra.store.dead_letters import give_up
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.reason import Reason
from tests.integration.api.part_of_a_worker import decide, give_model

Key = dict[str, str]


def post(client: TestClient, key: Key, n: int, **changes: object) -> int:
    body = {"source": "shop", "external_id": f"r-{n}", "name": f"Listing number{n}"} | changes
    return int(client.post("/v1/listings", json=body, headers=key).json()["id"])


def walk(client: TestClient, key: Key, path: str, **query: object) -> list[list[int]]:
    pages: list[list[int]] = []
    cursor: str | None = None
    while True:
        asked = query | ({"cursor": cursor} if cursor else {})
        page = client.get(path, params=asked, headers=key).json()
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next"]
        if cursor is None:
            return pages


def test_walking_pages_meets_each_listing_once_while_others_arrive(client: TestClient, seller: Key) -> None:
    ids = [post(client, seller, n) for n in range(7)]
    first = client.get("/v1/listings", params={"limit": 3}, headers=seller).json()
    post(client, seller, 8)
    rest = client.get("/v1/listings", params={"limit": 200, "cursor": first["next"]}, headers=seller).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == ids[::-1]
    assert [len(page) for page in walk(client, seller, "/v1/listings", limit=4)] == [4, 4]


@pytest.mark.parametrize(
    "cursor", ["%%%", "WzFd!", "bm90IGpzb24", "W10", "WyJ4Il0", "WzEsMl0", "WzEuNV0", "W1t0cnVlXV0", "WzFlOTld"]
)
def test_damaged_cursors(client: TestClient, seller: Key, cursor: str) -> None:
    answer = client.get("/v1/listings", params={"cursor": cursor}, headers=seller)
    assert answer.status_code == 422
    assert "cursor is damaged" in answer.json()["detail"]


def test_filters(client: TestClient, seller: Key, admin: Key, engine: Engine) -> None:
    give_model(engine, "shop")
    curtains = post(client, seller, 1, name="Blue rideaux", category="Home >> Curtains")
    decide(engine, 0.9, category="Home >> Curtains")
    watch = post(client, seller, 2, name="Diver watch")
    decide(engine, 0.4, DecisionStatus.NEEDS_REVIEW, "Watches")
    waiting = post(client, admin, 3, source="market")

    def found(**query: Any) -> list[int]:
        answer = client.get("/v1/listings", params=query, headers=admin)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert found() == [waiting, watch, curtains]
    assert found(status="pending") == found(source="market") == [waiting]
    assert found(category="Home") == found(category="Home >> Curtains") == [curtains]
    assert found(category="Hom") == []
    assert found(min_confidence=0.5) == [curtains]
    assert found(max_confidence=0.5) == found(q="diver") == found(q="R-2") == [watch]
    assert found(q="blue -rideaux") == found(q='"') == found(created_after="2999-01-01T00:00:00Z") == []
    assert found(created_before="2999-01-01T00:00:00Z", q="\x00") == [waiting, watch, curtains]
    client.post(f"/v1/listings/{watch}/review", json={"category": "Home"}, headers=admin)
    assert found(reviewed=True) == [watch]
    assert found(reviewed=False) == [waiting, curtains]
    for wrong in ({"status": "lost"}, {"limit": 0}, {"limit": 201}, {"min_confidence": 2}, {"created_after": "soon"}):
        assert client.get("/v1/listings", params=wrong, headers=admin).status_code == 422


def test_a_date_without_an_offset_is_by_utc_wherever_the_database_is(
    client: TestClient, seller: Key, engine: Engine
) -> None:
    with engine.begin() as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f"ALTER DATABASE \"{name}\" SET timezone TO 'Asia/Tokyo'"))
    client.app.state.context.engine.dispose()  # type: ignore[attr-defined]  # it connects anew, and is in Tokyo
    listing = post(client, seller, 1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE listings SET created_at = '2026-03-01T23:30:00Z'"))
    for query, found in (
        ({"created_before": "2026-03-02"}, [listing]),
        ({"created_after": "2026-03-02"}, []),
        ({"created_after": "2026-03-01T23:00:00"}, [listing]),
        ({"created_after": "2026-03-02T00:00:00+09:00"}, [listing]),
    ):
        answer = client.get("/v1/listings", params=query, headers=seller)
        assert [item["id"] for item in answer.json()["items"]] == found


def test_review_queue_is_least_certain_first_and_a_review_outranks(
    client: TestClient, seller: Key, admin: Key, engine: Engine
) -> None:
    give_model(engine, "shop")
    ids = {}
    for n, confidence in enumerate((0.5, 0.2, 0.3, 0.2)):
        ids[n] = post(client, seller, n)
        decide(engine, confidence, DecisionStatus.NEEDS_REVIEW)
    assert walk(client, seller, "/v1/review-queue", limit=2) == [[ids[1], ids[3]], [ids[2], ids[0]]]
    place = f"/v1/listings/{ids[1]}/review"
    assert client.post(place, json={"category": "Home"}, headers=seller).status_code == 403
    assert client.post(place, json={"category": " >> "}, headers=admin).status_code == 422
    reviewed = client.post(place, json={"category": "Home > Rugs", "note": "a rug"}, headers=admin)
    assert (reviewed.json()["status"], reviewed.json()["category"]) == ("assigned", "Home >> Rugs")
    assert walk(client, seller, "/v1/review-queue") == [[ids[3], ids[2], ids[0]]]
    [review] = client.get(f"/v1/listings/{ids[1]}", headers=seller).json()["reviews"]
    assert (review["reviewer"], review["category"], review["note"]) == ("admin", "Home >> Rugs", "a rug")
    assert client.post("/v1/listings/999999/review", json={"category": "Home"}, headers=admin).status_code == 404


def test_the_story_tells_everything(client: TestClient, seller: Key, engine: Engine) -> None:
    give_model(engine, "shop")
    listing = post(client, seller, 1, images=["https://example.com/a.jpg"])
    decide(engine, 0.9)
    post(client, seller, 1, name="Better name")
    story = client.get(f"/v1/listings/{listing}", headers=seller).json()
    newest, first = story["revisions"]
    assert (newest["number"], newest["jobs"][0]["state"], newest["decisions"]) == (2, "waiting", [])
    assert [image["reference"] for image in first["images"]] == ["https://example.com/a.jpg"]
    [prediction] = first["predictions"]
    assert prediction["ranked"][0] == {"category": "Home >> Curtains", "probability": 0.9}
    assert (prediction["model"], prediction["modality"]) == (1, "text")
    assert first["decisions"][0]["reason"] == "the words say so"
    [attempt] = first["jobs"][0]["attempts"]
    assert (attempt["outcome"], attempt["seconds"]) == ("done", {"fetch": 0.1, "text": 0.2})
    assert [event["kind"] for event in story["events"]] == ["listing_decided"]


@pytest.mark.parametrize("listing", ["0", "999999", str(2**63), "x"])
def test_no_such_listing(client: TestClient, seller: Key, listing: str) -> None:
    answer = client.get(f"/v1/listings/{listing}", headers=seller)
    assert answer.status_code == (404 if listing == "999999" else 422)


def test_models_are_promoted_and_rolled_back(
    client: TestClient, seller: Key, rival: Key, admin: Key, engine: Engine
) -> None:
    post(client, seller, 1)
    first = give_model(engine, "shop")
    assert client.post(f"/v1/models/{first}/rollback", headers=admin).status_code == 409
    second = give_model(engine, "shop")
    shown = client.get("/v1/models", headers=seller).json()
    assert [(m["id"], m["status"]) for m in shown] == [(second, "active"), (first, "retired")]
    by_modality = {"text": None, "image": None, "fused": {"accuracy": 0.9}}
    assert shown[0]["metrics"] == by_modality | {"hierarchy": None, "min_level": None}
    assert client.get("/v1/models", headers=rival).json() == []
    assert client.get(f"/v1/models/{first}", headers=rival).status_code == 404
    assert client.post(f"/v1/models/{second}/rollback", headers=admin).json() == {"id": first}
    assert client.post(f"/v1/models/{second}/promote", headers=admin).json()["id"] == second
    assert client.get(f"/v1/models/{second}", headers=seller).json()["status"] == "active"
    assert client.post("/v1/models/999/promote", headers=admin).status_code == 404


def test_dead_letters_are_read_and_replayed(client: TestClient, seller: Key, admin: Key, engine: Engine) -> None:
    for n in range(3):
        post(client, seller, n)
    with engine.begin() as connection:
        for job, reason in zip(
            connection.scalars(text("SELECT id FROM jobs")).all(), ("oven", "Disk full", "x"), strict=True
        ):
            give_up(connection, [job], Reason.other(reason), "Traceback")
    pages = walk(client, admin, "/v1/dead-letters", limit=2)
    assert [len(page) for page in pages] == [2, 1]
    letter = client.get(f"/v1/dead-letters/{pages[0][0]}", headers=admin).json()
    assert (letter["reason"], letter["traceback"], letter["external_id"]) == ("x", "Traceback", "r-2")
    replay = "/v1/dead-letters/replay"
    assert client.post(replay, json={}, headers=admin).status_code == 422
    assert client.post(replay, json={"ids": [1], "all": True}, headers=admin).status_code == 422
    assert client.post(replay, json={"ids": [letter["id"]]}, headers=admin).json() == {"replayed": 1}
    assert client.post(replay, json={"reason_contains": "disk"}, headers=admin).json() == {"replayed": 1}
    assert client.post(replay, json={"all": True}, headers=admin).json() == {"replayed": 1}
    assert client.get("/v1/dead-letters", headers=admin).json() == {"items": [], "next": None}
    assert len(client.get("/v1/dead-letters", params={"replayed": True}, headers=admin).json()["items"]) == 3


def test_imports_and_their_rows(client: TestClient, seller: Key, rival: Key, engine: Engine) -> None:
    with engine.begin() as connection:
        made = connection.scalar(
            text(
                "INSERT INTO imports (source_id, origin, status, total) SELECT id, 'file.csv', 'running', 3 "
                "FROM sources WHERE name = 'shop' RETURNING id"
            )
        )
        for n, (verdict, reason) in enumerate((("new", None), ("rejected", "no name"), ("new", None)), start=1):
            connection.execute(
                text(
                    "INSERT INTO import_rows (import_id, number, verdict, reason) "
                    "VALUES (:id, :n, CAST(:verdict AS verdict), :reason)"
                ),
                {"id": made, "n": n, "verdict": verdict, "reason": reason},
            )
    assert [i["origin"] for i in client.get("/v1/imports", headers=seller).json()["items"]] == ["file.csv"]
    assert client.get("/v1/imports", headers=rival).json()["items"] == []
    assert client.get(f"/v1/imports/{made}", headers=rival).status_code == 404
    page = client.get(f"/v1/imports/{made}", params={"limit": 2}, headers=seller).json()
    assert [row["number"] for row in page["rows"]] == [1, 2]
    rest = client.get(f"/v1/imports/{made}", params={"cursor": page["next"]}, headers=seller).json()
    assert ([row["number"] for row in rest["rows"]], rest["next"]) == ([3], None)
    bad = client.get(f"/v1/imports/{made}", params={"verdict": "rejected"}, headers=seller).json()
    assert [row["reason"] for row in bad["rows"]] == ["no name"]
