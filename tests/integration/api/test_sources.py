"""Sources over HTTP: listed by those who may, and how they write categories."""

from __future__ import annotations

from fastapi.testclient import TestClient

Headers = dict[str, str]
SLASHES = {"separator": "/", "list_separator": ";", "choice": None}


def row(number: int, category: str | None, source: str = "shop") -> dict[str, object]:
    return {"source": source, "external_id": f"s-{number}", "name": f"Listing {number}", "category": category}


def category_of(client: TestClient, headers: Headers, listing_id: int) -> str | None:
    category: str | None = client.get(f"/v1/listings/{listing_id}", headers=headers).json()["seller_category"]
    return category


def test_posted_categories_are_read_as_the_source_writes_them(
    client: TestClient, admin: Headers, seller: Headers
) -> None:
    recognised = client.post("/v1/listings", json=row(1, "Home > Bath/Body"), headers=admin).json()
    answer = client.put("/v1/sources/shop/category-notation", json=SLASHES, headers=admin)
    assert answer.json() == {"name": "shop", "taxonomy": "shop", "category_notation": SLASHES}
    assert client.get("/v1/sources", headers=seller).json()[-1] == answer.json()

    posted = client.post("/v1/listings", json=row(2, "Home/Bath, Body;Gifts"), headers=seller).json()
    other = client.post("/v1/listings", json=row(2, "Home/Bath, Body", "other"), headers=admin).json()
    assert category_of(client, admin, recognised["id"]) == "Home >> Bath/Body"
    assert category_of(client, admin, posted["id"]) == "Home >> Bath, Body"
    assert category_of(client, admin, other["id"]) == "Home/Bath, Body"

    batch = client.post("/v1/listings/batch", json=[row(3, "Home/Mugs"), row(4, " / ;"), row(5, None)], headers=admin)
    assert [each["verdict"] for each in batch.json()["rows"]] == ["new", "rejected", "new"]
    assert "category" in batch.json()["rows"][1]["why"]
    assert category_of(client, admin, batch.json()["rows"][0]["id"]) == "Home >> Mugs"
    assert client.post("/v1/listings", json=row(4, "/"), headers=admin).status_code == 422


def test_a_notation_that_cannot_be_used_is_refused_and_changes_nothing(
    client: TestClient, admin: Headers, seller: Headers
) -> None:
    client.post("/v1/listings", json=row(1, None), headers=admin)
    url = "/v1/sources/shop/category-notation"
    refused = client.put(url, json={"separator": "and"}, headers=admin)
    assert refused.status_code == 422
    assert "without letters" in refused.json()["detail"]
    assert client.put(url, json=SLASHES, headers=seller).status_code == 403
    assert client.put("/v1/sources/bazaar/category-notation", json=SLASHES, headers=admin).status_code == 404
    assert client.get("/v1/sources", headers=admin).json()[-1]["category_notation"] == dict.fromkeys(SLASHES)
