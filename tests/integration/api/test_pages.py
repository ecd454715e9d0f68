"""The pages' guards: sessions, forged forms, scopes, sources, headers, and errors as pages."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from sqlalchemy import Engine, text

from api.app import create_app
from api.web.login import local_path
from tests.integration.api.conftest import SettingsMaker
from tests.integration.api.part_of_a_worker import give_model
from tests.integration.records import add_key

HTML = {"Accept": "text/html"}
PAGES = ("/", "/try", "/models", "/dead-letters")


class Yesterday(TimestampSigner):
    """Signs as if it were 24 hours ago."""

    def get_timestamp(self) -> int:
        return super().get_timestamp() - 24 * 3600


def token_of(page: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found
    return found[1]


def sign_in(client: TestClient, secret: str, **fields: str) -> str:
    """The token of the session of this key."""
    form = {"token": token_of(client.get("/login").text), "key": secret} | fields
    answer = client.post("/login", data=form, follow_redirects=False)
    assert answer.status_code == 303
    return token_of(client.get("/try", headers=HTML).text)


def secret_of(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize("path", [*PAGES, "/listings/1", "/listings/1/image/0"])
def test_every_page_asks_for_a_login_and_leads_back(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=HTML, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    assert path == "/" or answer.headers["location"].endswith(f"?next={path}")


def test_the_page_of_models_shows_their_figures_and_what_is_wrong(
    client: TestClient, seller: dict[str, str], admin: dict[str, str], engine: Engine
) -> None:
    client.post("/v1/listings", json={"source": "shop", "external_id": "1", "name": "Curtains"}, headers=seller)
    give_model(engine, "shop")
    with engine.begin() as connection:
        connection.execute(text("UPDATE model_versions SET problem = 'saved by version 1'"))
    sign_in(client, secret_of(admin))
    page = client.get("/models", headers=HTML).text
    assert re.search(r">90(\.0)?\s?%<", page)
    assert "cannot read it: saved by version 1" in page


def test_cookie_and_headers_are_strict(client: TestClient, admin: dict[str, str]) -> None:
    first = client.get("/login")
    assert {"HttpOnly", "SameSite=lax"} <= set(first.headers["set-cookie"].split("; "))
    sign_in(client, secret_of(admin))
    for path in PAGES:
        page = client.get(path)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert " style=" not in page.text
        assert "<script>" not in page.text


def test_a_forged_form_changes_nothing(client: TestClient, admin: dict[str, str]) -> None:
    sign_in(client, secret_of(admin))
    for path in ("/logout", "/try", "/listings/1/review", "/models/1/promote", "/dead-letters/1/replay", "/login"):
        for form in ({}, {"token": "guessed"}, {"token": "é"}):
            assert client.post(path, data=form, headers=HTML).status_code == 403, path
    assert client.get("/", follow_redirects=False).status_code == 200


def test_a_session_changed_by_hand_or_too_old_ends(
    client: TestClient, admin: dict[str, str], settings_with: SettingsMaker
) -> None:
    sign_in(client, secret_of(admin))
    good = client.cookies["rayon_session"]
    with TestClient(create_app(settings_with(secret_key="y" * 32))) as other:
        assert other.get("/", cookies={"rayon_session": good}, follow_redirects=False).status_code == 303
    aged = URLSafeTimedSerializer("x" * 32, salt="rayon-pages", signer=Yesterday)
    changed = ("A" if good[0] != "A" else "B") + good[1:]
    for cookie in (changed, str(aged.dumps({"token": "t", "key": 1})), "", "é"):
        client.cookies.clear()
        answer = client.get("/", headers={"Cookie": f"rayon_session={cookie}".encode()}, follow_redirects=False)
        assert answer.status_code == 303, cookie
    assert client.get("/", headers={"Cookie": f"rayon_session={good}"}).status_code == 200


def test_signing_out_ends_the_session(client: TestClient, admin: dict[str, str]) -> None:
    token = sign_in(client, secret_of(admin))
    client.post("/logout", data={"token": token})
    assert client.get("/", follow_redirects=False).status_code == 303


def test_a_key_sees_its_own_sources_only(client: TestClient, seller: dict[str, str], rival: dict[str, str]) -> None:
    posted = client.post(
        "/v1/listings", headers=seller, json={"source": "shop", "external_id": "1", "name": "Blue <b>mug</b>"}
    ).json()
    sign_in(client, secret_of(seller))
    assert "Blue &lt;b&gt;mug&lt;/b&gt;" in client.get("/").text
    assert client.get(f"/listings/{posted['id']}").status_code == 200
    token = sign_in(client, secret_of(rival))
    assert "mug&lt;" not in client.get("/").text
    assert client.get(f"/listings/{posted['id']}", headers=HTML).status_code == 404
    review = {"token": token, "category": "A >> B"}
    assert client.post(f"/listings/{posted['id']}/review", data=review).status_code == 404
    tried = client.post("/try", data={"token": token, "source": "shop", "name": "a mug"})
    assert tried.status_code == 422
    assert "Choose where" in tried.text


def test_scopes_hold_on_pages(client: TestClient, engine: Engine) -> None:
    reader = add_key(engine, "reader", ["read"])
    submitter = add_key(engine, "submitter", ["submit"])
    token = sign_in(client, reader)
    for path in ("/try", "/listings/1/review", "/models/1/promote", "/dead-letters/1/replay"):
        assert client.post(path, data={"token": token}, headers=HTML).status_code == 403, path
    form = {"token": token_of(client.get("/login").text), "key": submitter}
    refused = client.post("/login", data=form)
    assert refused.status_code == 401
    assert "This key may not read" in refused.text


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\\b", "x", "/\n/e"])
def test_a_login_leads_to_this_site_only(where: str) -> None:
    assert local_path(where) == "/"


def test_errors_are_pages_for_browsers_and_problems_for_programs(client: TestClient) -> None:
    page = client.get("/nowhere", headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert client.get("/nowhere").headers["content-type"] == "application/problem+json"
    assert client.get("/v1/nowhere", headers=HTML).headers["content-type"] == "application/problem+json"


def test_without_a_database_a_page_says_so(settings_with: SettingsMaker, admin: dict[str, str]) -> None:
    dead = settings_with(database_url="postgresql+psycopg2://nobody@127.0.0.1:1/none")
    with TestClient(create_app(dead), raise_server_exceptions=False) as client:
        form = {"token": token_of(client.get("/login").text), "key": secret_of(admin)}
        page = client.post("/login", data=form, headers=HTML)
    assert page.status_code == 503
    assert "<h1>One moment, please</h1>" in page.text
    assert "retry-after" in page.headers


def test_an_unforeseen_error_is_a_page_without_details(
    client: TestClient, engine: Engine, admin: dict[str, str]
) -> None:
    sign_in(client, secret_of(admin))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE model_versions CASCADE"))
    page = client.get("/models", headers=HTML)
    assert page.status_code == 500
    assert "<h1>Something went wrong here</h1>" in page.text
    assert "model_versions" not in page.text


@pytest.mark.parametrize("path", ["/listings/abc", "/imports/0", "/studies/1e9", f"/listings/{2**70}"])
def test_an_id_that_is_none_leads_nowhere(client: TestClient, admin: dict[str, str], path: str) -> None:
    sign_in(client, secret_of(admin))
    page = client.get(path, headers=HTML)
    assert page.status_code == 404
    assert f"There is nothing at {path}" in page.text
