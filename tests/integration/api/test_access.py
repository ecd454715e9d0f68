"""Keys: made, bound to sources, scoped, revoked."""

from __future__ import annotations

import hashlib

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from tests.integration.api.conftest import bearer
from tests.integration.api.part_of_a_worker import decide

LISTING = {"source": "shop", "external_id": "a-1", "name": "Curtains"}


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic eDp5"}, bearer("rk_nobody"), bearer("x")])
def test_no_good_key_is_401(client: TestClient, header: dict[str, str]) -> None:
    answer = client.get("/v1/listings", headers=header)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_key_is_made_used_and_revoked(client: TestClient, admin: dict[str, str], engine: Engine) -> None:
    made = client.post("/v1/keys", json={"name": "n", "scopes": ["read"], "sources": ["shop"]}, headers=admin)
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith("rk_")
    with engine.connect() as connection:
        hashes = connection.scalars(text("SELECT hash FROM api_keys WHERE name = 'n'")).all()
    assert hashes == [hashlib.sha256(secret.encode()).hexdigest()]
    assert client.get("/v1/listings", headers=bearer(secret)).status_code == 200
    shown = client.get("/v1/keys", headers=admin)
    assert secret not in shown.text
    assert shown.json()[-1] == {k: v for k, v in made.json().items() if k != "secret"}
    assert client.delete(f"/v1/keys/{made.json()['id']}", headers=admin).status_code == 204
    assert client.get("/v1/listings", headers=bearer(secret)).status_code == 401
    assert client.delete(f"/v1/keys/{made.json()['id']}", headers=admin).status_code == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": "n", "scopes": ["admin"], "sources": ["shop"]},
        {"name": "n", "scopes": []},
        {"name": "n", "scopes": ["root"]},
        {"name": "n", "scopes": ["read"], "sources": []},
        {"name": " ", "scopes": ["read"]},
    ],
)
def test_keys_that_make_no_sense(client: TestClient, admin: dict[str, str], wanted: dict[str, object]) -> None:
    assert client.post("/v1/keys", json=wanted, headers=admin).status_code == 422


def test_scopes(client: TestClient, seller: dict[str, str], admin: dict[str, str]) -> None:
    reader = client.post("/v1/keys", json={"name": "r", "scopes": ["read"], "sources": ["shop"]}, headers=admin).json()
    assert client.post("/v1/listings", json=LISTING, headers=bearer(reader["secret"])).status_code == 403
    writer = client.post(
        "/v1/keys", json={"name": "w", "scopes": ["submit"], "sources": ["shop"]}, headers=admin
    ).json()
    assert client.get("/v1/listings", headers=bearer(writer["secret"])).status_code == 403
    for call in ("/v1/keys", "/v1/dead-letters"):
        assert client.get(call, headers=seller).status_code == 403
    assert client.post("/v1/models/1/promote", headers=seller).status_code == 403


def test_another_sources_listings_do_not_exist(
    client: TestClient, seller: dict[str, str], rival: dict[str, str], engine: Engine
) -> None:
    made = client.post("/v1/listings", json=LISTING, headers=seller).json()
    decide(engine)
    place = f"/v1/listings/{made['id']}"
    assert client.get(place, headers=seller).status_code == 200
    assert client.get(place, headers=rival).status_code == 404
    assert client.get(f"{place}/image/0", headers=rival).status_code == 404
    assert client.delete(place, headers=rival).status_code == 404
    assert client.get("/v1/listings", headers=rival).json()["items"] == []
    assert client.get("/v1/listings", params={"source": "shop"}, headers=rival).json()["items"] == []
    assert client.post("/v1/listings", json=LISTING | {"name": "mine"}, headers=rival).status_code == 404
    assert client.post("/v1/listings", json=LISTING | {"source": "unheard of"}, headers=rival).status_code == 404
    assert client.get(place, headers=seller).json()["name"] == "Curtains"


@pytest.mark.usefixtures("engine")
def test_the_last_admin_key_is_not_revoked_over_http(client: TestClient, admin: dict[str, str]) -> None:
    own = client.get("/v1/keys", headers=admin).json()[0]["id"]
    refused = client.delete(f"/v1/keys/{own}", headers=admin)
    assert refused.status_code == 409
    assert "create another one first" in refused.json()["detail"]
    client.post("/v1/keys", json={"name": "second", "scopes": ["admin"]}, headers=admin)
    assert client.delete(f"/v1/keys/{own}", headers=admin).status_code == 204
    assert client.get("/v1/keys", headers=admin).status_code == 401
