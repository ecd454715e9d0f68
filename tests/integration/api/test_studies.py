"""Studies over HTTP: started once, followed, read by those who may; files by safe names only."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from infra.storage.filesystem import FilesystemStorage
from infra.store.studies.repository import SqlStudies
from pipeline.domain.prediction import Modality
from pipeline.domain.study import Feasibility, SampleFacts, StudyProtocol, study_key
from tests.integration.api.conftest import bearer
from tests.integration.records import add_key, add_source
from tests.unit.pipeline.study.fake_steps import done_trial

Headers = dict[str, str]
BEST = {Modality.TEXT: 0.61, Modality.IMAGE: None, Modality.FUSED: 0.7}
SHELVES: list[dict[str, Any]] = [
    {
        "rank": rank,
        "listing_id": rank,
        "key": f"k{rank}",
        "name": "=cmd()" if rank == 1 else f"name {rank}",
        "given": "Home",
        "proposed": "Kitchen",
        "confidence": 0.97,
        "given_confidence": 0.01,
        "score": 0.9,
        "neighbours": [{"listing_id": 9, "key": "k9", "name": "near", "category": "Kitchen", "similarity": 0.8312}],
        "attribution": "by everybody" if rank == 2 else None,
    }
    for rank in (1, 2, 3)
]


@pytest.fixture
def shop(engine: Engine) -> str:
    """A taxonomy with one source."""
    return add_source(engine, "shop").taxonomy


@pytest.fixture
def storage(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path / "objects", "http://testserver", "x" * 32)


def collect_listing(engine: Engine, external_id: str) -> int:
    """A listing that came from Open Food Facts; its id."""
    source = add_source(engine, "shop")
    with engine.begin() as connection:
        statement = (
            "INSERT INTO listings (source_id, external_id, status) VALUES (:source, :id, 'pending') RETURNING id"
        )
        listing = connection.execute(text(statement), {"source": source.id, "id": external_id}).scalar_one()
        connection.execute(
            text(
                "INSERT INTO provenances (listing_id, database, address, categories) VALUES "
                "(:id, 'openfoodfacts', 'https://world.openfoodfacts.org/product/1', '[]')"
            ),
            {"id": listing},
        )
    return int(listing)


@pytest.fixture
def done(client: TestClient, admin: Headers, engine: Engine, storage: FilesystemStorage, shop: str) -> int:
    """A concluded study with a few files."""
    study_id = int(client.post("/v1/studies", json={"taxonomy": shop}, headers=admin).json()["id"])
    for name, content in {
        "report.json": json.dumps({"format": 1, "verdict": "promising"}),
        "report.en.html": "<!doctype html><title>study</title>",
        "figures/map-tfidf+fisher.en.png": "PNG",
        "tables/trials.csv": "extractor\ntfidf\n",
        "wrong_shelves.json": json.dumps(SHELVES),
        "sample.json": "{}",
        "work/trials/tfidf.json": "{}",
    }.items():
        storage.put(study_key(study_id, name), content.encode())
    with engine.begin() as connection:
        studies = SqlStudies(connection)
        sample = SampleFacts("f" * 64, level=1, categories=2, listings=9, studied=9)
        studies.freeze(study_id, sample, {"tfidf": Modality.TEXT})
        studies.write_trials(study_id, [replace(done_trial("tfidf", Modality.TEXT, StudyProtocol.B), n=9)])
        studies.conclude(study_id, Feasibility.PROMISING, BEST)
    return study_id


def test_a_study_is_started_once_and_can_be_followed(client: TestClient, admin: Headers, shop: str) -> None:
    asked = {"taxonomy": shop, "level": 2, "sample": 500, "extractors": ["tfidf"], "seeds": 3, "supervised": False}
    asked |= {"clusterings": ["hdbscan", "spectral"]}
    first = client.post("/v1/studies", json=asked, headers=admin)
    assert first.status_code == 202
    place = first.headers["Location"]
    assert place == f"/v1/studies/{first.json()['id']}"
    again = client.post("/v1/studies", json={}, headers=admin)
    assert (again.status_code, again.headers["Location"]) == (200, place)
    followed = client.get(place, headers=admin).json()
    assert (followed["status"], followed["stage"], followed["progress"]) == ("running", "sample", 0)
    assert followed["requested_by"] == "admin"
    assert followed["plan"]["seeds"] == [0, 1, 2]
    assert (followed["plan"]["level"], followed["plan"]["sample"], followed["plan"]["repeats"]) == (2, 500, 0)
    assert followed["plan"]["clusterings"] == ["hdbscan", "spectral"]
    assert followed["files"] == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"taxonomy": "nobody's"}, 404),
        ({"seeds": 0}, 422),
        ({"seeds": 51}, 422),
        ({"level": 0}, 422),
        ({"sample": 1}, 422),
        ({"extractors": ["../tfidf"]}, 422),
        ({"extractors": [""]}, 422),
        ({"extractors": ["tfidf", "telepathy"]}, 422),
        ({"clusterings": ["kmeans"]}, 422),
        ({"seed": 3}, 422),
        ({"level": 10**30}, 422),
    ],
)
@pytest.mark.usefixtures("shop")
def test_what_cannot_be_studied_is_refused(
    client: TestClient, admin: Headers, body: dict[str, object], status: int
) -> None:
    answer = client.post("/v1/studies", json=body, headers=admin)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_only_an_admin_starts_one(client: TestClient, seller: Headers) -> None:
    assert client.post("/v1/studies", json={}, headers=seller).status_code == 403
    assert client.post("/v1/studies", json={}).status_code == 401


def test_a_concluded_study_shows_trials_verdict_and_files(client: TestClient, admin: Headers, done: int) -> None:
    shown = client.get(f"/v1/studies/{done}", headers=admin).json()
    assert (shown["status"], shown["verdict"], shown["best"], shown["progress"]) == ("done", "promising", BEST, 1)
    assert [(t["extractor"], t["protocol"], t["status"]) for t in shown["trials"]] == [
        ("tfidf", "A", "waiting"),
        ("tfidf", "B", "done"),
    ]
    for address in shown["files"].values():
        assert client.get(address, headers=admin).status_code in (200, 404)
    report = client.get(f"/v1/studies/{done}/report", headers=admin)
    assert report.json()["verdict"] == "promising"
    assert report.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("report.en.html", "text/html; charset=utf-8"),
        ("figures/map-tfidf+fisher.en.png", "image/png"),
        ("tables/trials.csv", "text/csv; charset=utf-8"),
    ],
)
def test_files_come_with_their_type_and_are_not_guessed_at(
    client: TestClient, admin: Headers, done: int, name: str, media_type: str
) -> None:
    answer = client.get(f"/v1/studies/{done}/files/{name.replace('+', '%2B')}", headers=admin)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "name",
    [
        "sample.json",
        "work/trials/tfidf.json",
        "../1/report.json",
        "..%2F1%2Freport.json",
        "figures/../sample.json",
        "figures/%2e%2e/sample.json",
        "figures/a/b.png",
        "report.en.html%00",
        "figures/é.png",
        "tables/none.csv",
        "report.fr.html",
        "",
    ],
)
def test_nothing_else_is_served(client: TestClient, admin: Headers, done: int, name: str) -> None:
    assert client.get(f"/v1/studies/{done}/files/{name}", headers=admin).status_code == 404


@pytest.mark.usefixtures("shop")
def test_a_study_that_runs_has_no_report_yet(client: TestClient, admin: Headers) -> None:
    study_id = client.post("/v1/studies", json={}, headers=admin).json()["id"]
    for place in ("report", "files/report.en.html", "wrong-shelves", "wrong-shelves.csv"):
        answer = client.get(f"/v1/studies/{study_id}/{place}", headers=admin)
        assert answer.status_code == 404
        assert "once it is done" in answer.json()["detail"]


def test_wrong_shelves_are_walked_and_exported(client: TestClient, admin: Headers, done: int) -> None:
    place = f"/v1/studies/{done}/wrong-shelves"
    first = client.get(place, params={"limit": 2}, headers=admin).json()
    assert [item["rank"] for item in first["items"]] == [1, 2]
    assert first["fingerprint"] == "f" * 64
    second = client.get(place, params={"limit": 2, "cursor": first["next"]}, headers=admin).json()
    assert ([item["rank"] for item in second["items"]], second["next"]) == ([3], None)
    assert client.get(place, params={"cursor": "nonsense"}, headers=admin).status_code == 422
    by_suffix = client.get(f"{place}.csv", headers=admin)
    by_accept = client.get(place, headers=admin | {"Accept": "text/csv, application/json;q=0.5"})
    assert by_suffix.text == by_accept.text
    assert by_suffix.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(by_suffix.text)))
    assert [row["key"] for row in rows] == ["k1", "k2", "k3"]
    assert rows[0]["name"] == "'=cmd()", "a spreadsheet must not run it"
    assert rows[0]["nearest"] == "Kitchen (0.83): k9"
    assert [row["attribution"] for row in rows] == ["", "by everybody", ""]


def test_shelves_of_a_study_older_than_attributions_tell_whom_their_listings_are_due_to_if_they_are_there(
    client: TestClient, admin: Headers, engine: Engine, storage: FilesystemStorage, done: int
) -> None:
    collected = collect_listing(engine, "tea")
    old = [{name: value for name, value in shelf.items() if name != "attribution"} for shelf in SHELVES]
    old[0]["listing_id"] = collected
    old[1] |= {"listing_id": None, "neighbours": [{**SHELVES[1]["neighbours"][0], "listing_id": collected}]}
    old[2]["listing_id"] = collected + 1
    storage.put(study_key(done, "wrong_shelves.json"), json.dumps(old).encode())
    place = f"/v1/studies/{done}/wrong-shelves"
    items = client.get(place, headers=admin).json()["items"]
    assert ["Open Database License" in (item["attribution"] or "") for item in items] == [True, True, False]
    rows = list(csv.DictReader(io.StringIO(client.get(f"{place}.csv", headers=admin).text)))
    assert [row["attribution"] for row in rows] == [item["attribution"] or "" for item in items]


@pytest.mark.usefixtures("admin")
def test_a_key_bound_to_sources_sees_only_what_is_wholly_its_own(
    client: TestClient, seller: Headers, rival: Headers, engine: Engine, done: int
) -> None:
    assert client.get(f"/v1/studies/{done}", headers=seller).status_code == 200
    assert [s["id"] for s in client.get("/v1/studies", headers=seller).json()["items"]] == [done]
    assert client.get("/v1/studies", headers=rival).json()["items"] == []
    for place in ("", "/report", "/files/report.en.html", "/wrong-shelves", "/wrong-shelves.csv"):
        assert client.get(f"/v1/studies/{done}{place}", headers=rival).status_code == 404
    add_source(engine, "branch", taxonomy="shop")
    both = bearer(add_key(engine, "both", ["read"], ["shop", "branch"]))
    assert client.get(f"/v1/studies/{done}/report", headers=seller).status_code == 404
    assert client.get(f"/v1/studies/{done}/report", headers=both).status_code == 200


def test_studies_are_listed_newest_first(client: TestClient, admin: Headers, engine: Engine) -> None:
    names = ("a", "b", "c")
    for name in names:
        add_source(engine, name)
        assert client.post("/v1/studies", json={"taxonomy": name}, headers=admin).status_code == 202
    first = client.get("/v1/studies", params={"limit": 2}, headers=admin).json()
    rest = client.get("/v1/studies", params={"limit": 2, "cursor": first["next"]}, headers=admin).json()
    assert [s["taxonomy"] for s in first["items"] + rest["items"]] == ["c", "b", "a"]
    assert rest["next"] is None
    only = client.get("/v1/studies", params={"taxonomy": "b"}, headers=admin).json()["items"]
    assert [s["taxonomy"] for s in only] == ["b"]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM jobs WHERE kind = 'study'")) == 3
