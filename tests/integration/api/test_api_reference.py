"""What the interface says of itself is what it does: the document, its page, methods, media types, parameters."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

LISTING = {"source": "shop", "external_id": "a-1", "name": "Curtains"}
JSON = {"Content-Type": "application/json"}


def test_the_document_tells_errors_as_they_are(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    responses = [one["responses"] for methods in document["paths"].values() for one in methods.values()]
    assert all("application/problem+json" in one["default"]["content"] for one in responses)
    assert [one["422"] for one in responses if "422" in one] == []
    assert "HTTPValidationError" not in document["components"]["schemas"]
    wrong = client.get("/v1/listings", params={"limit": 0}).json()
    assert set(wrong) <= set(document["components"]["schemas"]["ProblemResponse"]["properties"])


def test_the_reference_needs_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page.text) == []
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in page.text
    assert "-d &#39;{&#34;source&#34;: &#34;marketplace&#34;" in page.text


def test_head_is_get_without_a_body(client: TestClient, seller: dict[str, str]) -> None:
    for path in ("/healthz", "/readyz", "/v1/listings", "/v1/listings/999", "/login"):
        got, head = (client.request(method, path, headers=seller) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
    assert client.head("/v1/uploads", headers=seller).status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [("PUT", "/v1/listings", "GET, POST, HEAD"), ("OPTIONS", "/v1/sources/a/b/rules", "GET, PUT, HEAD")],
)
def test_a_method_that_is_not_taken_is_told_with_all_that_are(
    client: TestClient, method: str, path: str, takes: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, takes)
    assert takes in answer.json()["detail"]


def test_what_is_not_there_is_named(client: TestClient) -> None:
    assert "nothing at /v1/listing:" in client.get("/v1/listing").json()["detail"]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_what_is_not_called_json_is_415(client: TestClient, seller: dict[str, str], kind: str) -> None:
    answer = client.post("/v1/listings", content=b'{"source": "shop"}', headers=seller | {"Content-Type": kind})
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["detail"]


def test_a_wrong_body_is_told_in_words(client: TestClient, seller: dict[str, str]) -> None:
    def told(content: bytes) -> str:
        return str(client.post("/v1/listings", content=content, headers=seller | JSON).json()["detail"])

    assert told(b"[]") == "/: a JSON object is needed here"
    assert told(b"") == "/: a body is needed, as JSON"
    assert told(b'{"source": }').startswith("the body is not well-formed JSON at character 12:")


def test_a_misspelt_parameter_is_refused_not_passed_over(client: TestClient, seller: dict[str, str]) -> None:
    answer = client.get("/v1/listings", params={"stauts": "pending"}, headers=seller)
    assert answer.status_code == 422
    assert "there is no parameter 'stauts'; there are status, category" in answer.json()["detail"]
    assert client.get("/v1/listings", params={"stauts": "pending"}).status_code == 401
    assert client.post("/v1/listings", params={"x": "1"}, json=LISTING, headers=seller).status_code == 422
    assert client.get("/healthz", params={"x": "1"}).status_code == 200
