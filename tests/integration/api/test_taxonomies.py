"""Taxonomies over HTTP and as pages: import of categories, lists, search, preview, and who may do it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.label_count_cache import MIN_SECONDS, LabelCountCache
from tests.integration.api.test_pages import HTML, secret_of, sign_in
from tests.integration.records import add_key, add_source

GOOGLE = "# Google_Product_Taxonomy_Version: 2021-09-21\n1 - Home\n2 - Home > Curtains & Blinds\n3 - Toys\n"
CURTAINS = {"path": "Home > Curtains", "synonyms": ["drapes"], "description": "for windows", "names": {"fr": "Rideaux"}}


def test_categories_are_imported_as_json_text_table_or_upload(client: TestClient, admin: dict[str, str]) -> None:
    address = "/v1/taxonomies/shop/categories"
    body = {"categories": [CURTAINS, "Toys"]}
    tried = client.post(address, json=body, params={"dry_run": True}, headers=admin).json()
    assert (tried["added"], tried["dry_run"]) == (["Home", "Home >> Curtains", "Toys"], True)
    assert client.get("/v1/taxonomies", headers=admin).json() == []
    assert client.post(address, json=body, headers=admin).json() == {**tried, "dry_run": False}
    again = client.post(address, json=[CURTAINS, "Toys"], headers=admin).json()
    assert (again["added"], again["updated"], again["unchanged"]) == ([], [], 3)
    for content, media_type in (("path\nToys > Balls\n", "text/csv"), ("Toys > Dolls\n", "text/plain")):
        answer = client.post(address, content=content, headers={**admin, "Content-Type": media_type})
        assert len(answer.json()["added"]) == 1, media_type
    uploaded = client.post(address, files={"file": ("google.txt", GOOGLE.encode())}, headers=admin).json()
    assert uploaded["added"] == ["Home >> Curtains & Blinds"]
    assert sorted(uploaded["updated"]) == ["Home", "Toys"]
    (taxonomy,) = client.get("/v1/taxonomies", headers=admin).json()
    assert (taxonomy["name"], taxonomy["categories"], taxonomy["levels"]) == ("shop", 6, 2)


def test_categories_are_listed_as_a_tree_searched_and_counted(
    client: TestClient, admin: dict[str, str], seller: dict[str, str]
) -> None:
    names = ["Home > Curtains", "Home & Garden > Pots", "Home > Zips", CURTAINS]
    client.post("/v1/taxonomies/shop/categories", json=names, headers=admin)
    for number, category in enumerate(("Home >> Curtains", "Home >> Curtains", "Home")):
        listing = {"source": "shop", "external_id": f"{number}", "name": "Voile", "category": category}
        client.post("/v1/listings", json=listing, headers=seller)
    address = "/v1/taxonomies/shop/categories"
    tree = ["Home", "Home >> Curtains", "Home >> Zips", "Home & Garden", "Home & Garden >> Pots"]
    pages: list[list[str]] = []
    cursor = None
    while not pages or cursor:
        page = client.get(address, params={"limit": 2} | ({"cursor": cursor} if cursor else {}), headers=seller).json()
        pages.append([item["path"] for item in page["items"]])
        cursor = page["next"]
    assert pages == [tree[:2], tree[2:4], tree[4:]]
    for words in ("drap", "RIDEAUX", "curt"):
        (found,) = client.get(address, params={"search": words}, headers=seller).json()["items"]
        assert (found["path"], found["labelled"], found["names"]) == ("Home >> Curtains", 2, {"fr": "Rideaux"})
    below = client.get(address, params={"under": "Home"}, headers=seller).json()["items"]
    assert [(item["path"], item["labelled"]) for item in below] == [
        ("Home", 1),
        ("Home >> Curtains", 2),
        ("Home >> Zips", 0),
    ]
    assert client.get(address, params={"search": "100%"}, headers=seller).json()["items"] == []


def test_what_cannot_be_read_is_refused_with_a_sentence(client: TestClient, admin: dict[str, str]) -> None:
    address = "/v1/taxonomies/shop/categories"
    for content, media_type, sentence in (
        (b"", "text/csv", "choose a file"),
        (b"{", "application/json", "not JSON"),
        (b"[1, 2]", "application/json", "no category can be read"),
        (b"\x89PNG\r\n", "text/plain", "the body is a picture"),
    ):
        answer = client.post(address, content=content, headers={**admin, "Content-Type": media_type})
        assert answer.status_code == 422, content
        assert sentence in answer.json()["detail"]
    nameless = client.post(address, files={"other": ("x.txt", b"Home")}, headers=admin)
    assert nameless.status_code == 422
    french = client.post(address, content=b"", headers={**admin, "Accept-Language": "fr"})
    assert "choisissez un fichier" in french.json()["detail"]
    assert client.get("/v1/taxonomies/none/categories", headers=admin).status_code == 404


def test_keys_see_and_change_what_they_may(client: TestClient, engine: Engine, seller: dict[str, str]) -> None:
    add_source(engine, "secret")
    address = "/v1/taxonomies/secret/categories"
    assert client.post("/v1/taxonomies/shop/categories", json=["Home"], headers=seller).status_code == 403
    assert client.get(address, headers=seller).status_code == 404
    assert [each["name"] for each in client.get("/v1/taxonomies", headers=seller).json()] == ["shop"]


def test_an_upload_is_previewed_then_imported(client: TestClient, admin: dict[str, str]) -> None:
    token = sign_in(client, secret_of(admin))
    assert "No taxonomy yet" in client.get("/taxonomies").text
    form = {"token": token, "taxonomy": "", "do": "preview"}
    preview = client.post("/taxonomies", data=form, files={"file": ("<b>shop.txt", GOOGLE.encode())}).text
    assert '<span class="leaf">Curtains &amp; Blinds</span>' in preview
    assert "<b>shop" not in preview
    assert client.get("/v1/taxonomies", headers=admin).json() == []
    hidden = {
        name: unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', preview)
    }
    assert hidden["do"] == "import"
    answer = client.post("/taxonomies", data=hidden, follow_redirects=False)
    assert answer.status_code == 303
    tree = client.get(answer.headers["location"]).text
    assert "Curtains &amp; Blinds" in tree
    assert " style=" not in tree
    same = client.post(
        "/taxonomies", data=form | {"taxonomy": hidden["taxonomy"]}, files={"file": ("x", GOOGLE.encode())}
    )
    assert "nothing changes" in same.text
    found = client.get("/taxonomies/categories", params={"taxonomy": hidden["taxonomy"], "search": "blinds"}).text
    assert "Home › Curtains &amp; Blinds" in found
    below = client.get("/taxonomies/categories", params={"taxonomy": hidden["taxonomy"], "under": "Home"}).text
    assert "Toys" not in below
    french = client.get("/taxonomies", params={"lang": "fr"}).text
    assert "Importer des catégories" in french


@pytest.mark.parametrize(
    ("fields", "file"),
    [({}, None), ({"content": "no base64!"}, None), ({}, ("x.csv", b"\x89PNG")), ({}, ("x.json", b"[1]"))],
)
def test_the_page_says_what_is_wrong_with_a_file(
    client: TestClient, admin: dict[str, str], fields: dict[str, str], file: tuple[str, bytes] | None
) -> None:
    form = {"token": sign_in(client, secret_of(admin)), "taxonomy": "shop"} | fields
    answer = client.post("/taxonomies", data=form, files={"file": file} if file else None)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_only_an_admin_imports_by_a_form_of_ours(client: TestClient, admin: dict[str, str], engine: Engine) -> None:
    token = sign_in(client, add_key(engine, "reader", ["read"]))
    assert 'action="/taxonomies"' not in client.get("/taxonomies").text
    files = {"file": ("x.txt", GOOGLE.encode())}
    assert client.post("/taxonomies", data={"token": token}, files=files, headers=HTML).status_code == 403
    sign_in(client, secret_of(admin))
    assert client.post("/taxonomies", data={"token": "guessed"}, files=files, headers=HTML).status_code == 403


def test_counts_are_read_again_when_they_have_expired(
    client: TestClient, engine: Engine, seller: dict[str, str]
) -> None:
    now = 0.0
    cache = LabelCountCache(lambda: now)
    source = add_source(engine, "shop")
    with engine.connect() as connection:
        assert cache.counts_of(connection, source.taxonomy_id) == {}
        client.post(
            "/v1/listings", json={"source": "shop", "external_id": "1", "name": "x", "category": "Home"}, headers=seller
        )
        assert cache.counts_of(connection, source.taxonomy_id) == {}
        now = MIN_SECONDS
        connection.rollback()
        assert cache.counts_of(connection, source.taxonomy_id) == {"Home": 1}
