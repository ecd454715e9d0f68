"""Levels of the taxonomy in decisions, model versions and trainings, over HTTP and on pages."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from infra.store.taxonomies.queries import category_paths
from infra.store.unit_of_work import units_of_work
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.steps.retire_categories import retire_category
from tests.integration.api.part_of_a_worker import decide, give_model
from tests.integration.api.test_pages import HTML, secret_of, sign_in
from tests.integration.records import add_categories, add_model, add_source

Headers = dict[str, str]
LISTING = {"source": "shop", "external_id": "1", "name": "Curtains"}
OPEN = Reason(ReasonCode.ASSIGNED, {"confidence": 0.9, "threshold": 0.8}).with_further(
    Reason(ReasonCode.LEVEL_LEFT_OPEN, {"level": 3, "confidence": 0.4, "category": "Home >> Curtains >> Sheer"})
)
COVERAGE = {"coverage": 0.9, "precision": 0.95, "by_depth": 0.5, "mean_depth": 1.5}
HIERARCHY: dict[str, Any] = {
    "f1": 0.8,
    "precision": 0.8,
    "recall": 0.8,
    "answers": COVERAGE,
    "coverage_at": {"0.95": COVERAGE, "0.99": COVERAGE},
    "levels": [
        {
            "level": level,
            "n": 10,
            "categories": 7 * level,
            "accuracy": 0.97 - 0.1 * level,
            "calibration_error": 0.01,
            "answered": 0.8,
            "coverage_at": {"0.95": COVERAGE, "0.99": COVERAGE},
        }
        for level in (1, 2)
    ],
}


@pytest.mark.parametrize(("reason", "open_level"), [(OPEN, 3), (None, None)])
def test_a_decision_says_its_level_and_what_it_leaves_open(
    client: TestClient, admin: Headers, engine: Engine, reason: Reason | None, open_level: int | None
) -> None:
    posted = client.post("/v1/listings", json=LISTING, headers=admin).json()
    give_model(engine, "shop")
    decide(engine, reason=reason)
    (decision,) = client.get(f"/v1/listings/{posted['id']}", headers=admin).json()["revisions"][0]["decisions"]
    assert (decision["level"], decision["open_level"]) == (2, open_level)
    again = client.post("/v1/listings", json=LISTING, headers=admin | {"Prefer": "wait=1"}).json()["decision"]
    assert (again["level"], again["open_level"], again["leaf_left_open"]) == (2, open_level, open_level is not None)
    sign_in(client, secret_of(admin))
    page = client.get(f"/listings/{posted['id']}", headers=HTML).text
    assert ("level 3 left open" in page) is (open_level is not None)
    assert ("level 3 is left open: only 40" in page) is (open_level is not None)
    french = client.get(f"/listings/{posted['id']}", headers=HTML | {"Accept-Language": "fr"}).text
    assert ("niveau 3 laissé ouvert" in french) is (open_level is not None)


def test_a_model_of_whole_paths_shows_its_levels(client: TestClient, admin: Headers, engine: Engine) -> None:
    taxonomy_id = add_source(engine, "shop").taxonomy_id
    add_model(engine, taxonomy_id, {"artefacts": "a", "files": {}, "fused": {"accuracy": 0.9}})
    sign_in(client, secret_of(admin))
    assert "by level of the taxonomy" not in client.get("/models", headers=HTML).text
    manifest = {"artefacts": "b", "files": {}, "fused": {"accuracy": 0.9}, "hierarchy": HIERARCHY, "min_level": 2}
    add_model(engine, taxonomy_id, manifest)
    page = client.get("/models", headers=HTML).text
    assert "Version 2, by level of the taxonomy" in page
    assert "Answers above level 2 go to review." in page
    newest, oldest = client.get("/v1/models", headers=admin).json()
    assert newest["metrics"]["hierarchy"]["levels"][1]["categories"] == 14
    assert newest["metrics"]["min_level"] == 2
    assert oldest["metrics"]["hierarchy"] is None


def test_a_training_has_a_least_useful_level(client: TestClient, admin: Headers, engine: Engine) -> None:
    add_source(engine, "shop")
    both = client.post("/v1/trainings", json={"taxonomy": "shop", "level": 2, "min_level": 2}, headers=admin)
    assert both.status_code == 422
    assert "least useful level" in both.text
    token = sign_in(client, secret_of(admin))
    form = {"token": token, "taxonomy": "shop", "min_level": "2"}
    assert client.post("/models/train", data=form, follow_redirects=False).status_code == 303
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT payload ->> 'min_level' FROM jobs WHERE kind = 'train'")) == "2"


def test_retired_categories_are_not_offered(client: TestClient, admin: Headers, engine: Engine) -> None:
    posted = client.post("/v1/listings", json=LISTING, headers=admin).json()
    give_model(engine, "shop")
    decide(engine)
    shop = add_source(engine, "shop")
    add_categories(engine, shop, ["Home >> Curtains >> Sheer", "Home >> Lamps"])
    retire_category(units_of_work(engine), shop.taxonomy_id, "Home >> Curtains")
    add_categories(engine, shop, ["Home >> Curtains >> New"])
    with engine.connect() as connection:
        assert category_paths(connection, shop.taxonomy_id) == ["Home", "Home >> Lamps"]
    sign_in(client, secret_of(admin))
    page = client.get(f"/listings/{posted['id']}", headers=HTML).text
    assert '<option value="Home &gt;&gt; Lamps">' in page
    assert '<option value="Home &gt;&gt; Curtains' not in page
