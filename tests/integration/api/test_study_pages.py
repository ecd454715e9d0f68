"""The guards of the pages about studies: who may see and start, which files are served and how, which language."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from api.app import create_app
from infra.store.studies.repository import SqlStudies
from pipeline.domain.prediction import Modality
from pipeline.domain.study import Feasibility, study_key
from tests.integration.api.conftest import SettingsMaker
from tests.integration.api.test_pages import HTML, secret_of, sign_in
from tests.integration.api.test_studies import collect_listing
from tests.integration.records import add_key, add_source, begin_study

BODY = '<article class="report"><h1>Oui &lt;b&gt;</h1></article>'


@pytest.fixture
def study_id(engine: Engine, settings_with: SettingsMaker) -> int:
    """A concluded study of the taxonomy of the source 'shop', with a few files."""
    study_id = begin_study(engine, add_source(engine, "shop").taxonomy_id, requested_by="admin")
    with engine.begin() as connection:
        SqlStudies(connection).conclude(
            study_id, Feasibility.FEASIBLE, {Modality.TEXT: 0.7, Modality.IMAGE: None, Modality.FUSED: None}
        )
    storage = create_app(settings_with()).state.context.storage
    for name in ("body.fr.html", "report.css", "report.fr.html", "tables/trials.csv", "report.json"):
        storage.put(study_key(study_id, name), BODY.encode(), "application/octet-stream")
    return study_id


@pytest.mark.parametrize("path", ["/studies", "/studies/1", "/studies/1/files/report.css"])
def test_each_asks_for_a_login(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=HTML, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next={path}"


def test_nothing_inline_is_allowed_and_pictures_only_from_here(
    client: TestClient, admin: dict[str, str], study_id: int
) -> None:
    sign_in(client, secret_of(admin))
    for path in ("/studies", f"/studies/{study_id}?lang=fr"):
        page = client.get(path)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "img-src 'self' data:;" in policy
        assert " style=" not in page.text
        assert "<script>" not in page.text
    assert BODY in page.text
    assert f"/studies/{study_id}/files/report.js" in page.text


def test_a_report_older_than_attributions_is_followed_by_them(
    client: TestClient, engine: Engine, admin: dict[str, str], study_id: int, settings_with: SettingsMaker
) -> None:
    sign_in(client, secret_of(admin))
    shelf = {"listing_id": collect_listing(engine, "tea"), "neighbours": []}
    storage = create_app(settings_with()).state.context.storage
    for kept, times in (([shelf, shelf], 1), ([shelf | {"attribution": None}], 0), ([], 0)):
        storage.put(study_key(study_id, "wrong_shelves.json"), json.dumps(kept).encode())
        assert client.get(f"/studies/{study_id}?lang=fr").text.count("Open Database License") == times


def test_files_have_their_types_and_no_other_name_is_served(
    client: TestClient, admin: dict[str, str], study_id: int
) -> None:
    sign_in(client, secret_of(admin))
    kinds = {"report.css": "text/css", "tables/trials.csv": "text/csv", "report.json": "application/json"}
    for name, kind in kinds.items():
        answer = client.get(f"/studies/{study_id}/files/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
    for name in ("work/features/tfidf.npz", "..%2f..%2fuploads/1/x.jpg", "tables/none.csv", "wrong_shelves.json"):
        assert client.get(f"/studies/{study_id}/files/{name}", headers=HTML).status_code == 404, name


def test_a_report_that_is_gone_is_told(client: TestClient, admin: dict[str, str], study_id: int) -> None:
    sign_in(client, secret_of(admin))
    page = client.get(f"/studies/{study_id}?lang=en")
    assert page.status_code == 200
    assert "no longer in the storage" in page.text
    assert client.get("/studies/999", headers=HTML).status_code == 404


def test_a_key_sees_the_studies_of_its_own_catalogue_only(
    client: TestClient, seller: dict[str, str], rival: dict[str, str], study_id: int
) -> None:
    sign_in(client, secret_of(seller))
    assert client.get(f"/studies/{study_id}").status_code == 200
    sign_in(client, secret_of(rival))
    assert f"/studies/{study_id}" not in client.get("/studies").text
    assert client.get(f"/studies/{study_id}", headers=HTML).status_code == 404
    assert client.get(f"/studies/{study_id}/files/report.json", headers=HTML).status_code == 404


@pytest.mark.usefixtures("seller")
def test_only_an_admin_starts_one_by_a_form_of_ours(client: TestClient, engine: Engine, admin: dict[str, str]) -> None:
    add_source(engine, "shop")
    reader = add_key(engine, "reader", ["read"])
    token = sign_in(client, reader)
    assert '<form class="starting"' not in client.get("/studies").text
    assert client.post("/studies", data={"token": token, "taxonomy": "shop"}, headers=HTML).status_code == 403
    token = sign_in(client, secret_of(admin))
    assert client.post("/studies", data={"token": "guessed", "taxonomy": "shop"}, headers=HTML).status_code == 403
    for form in ({"taxonomy": "shop", "sample": "1"}, {"taxonomy": "shop", "sample": "x"}, {"taxonomy": "no"}, {}):
        refused = client.post("/studies", data={"token": token} | form, headers=HTML)
        assert refused.status_code == 422, form
        assert 'role="alert"' in refused.text
    form = {"token": token, "taxonomy": "shop", "sample": "300", "lang": "fr", "spectral": "yes"}
    for _ in range(2):  # the second leads to the one that runs
        started = client.post("/studies", data=form, follow_redirects=False)
        assert (started.status_code, started.headers["location"]) == (303, "/studies/1")
    with engine.connect() as connection:
        plan = "SELECT count(*), min(plan ->> 'sample'), min(plan ->> 'clusterings') FROM studies"
        assert connection.execute(text(plan)).one() == (1, "300", '["spectral"]')
