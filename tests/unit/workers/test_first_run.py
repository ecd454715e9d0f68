"""The fresh listings that a first start posts, against an API of this test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from infra.sample.generator import fresh_listings
from pipeline.domain.errors import Unavailable
from workers.first_run import ApiClient


class FakeApi(ThreadingHTTPServer):
    """Answers uploads and listings, and records the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FakeApiHandler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.decision: dict[str, Any] | None = None
        self.status = 200

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class FakeApiHandler(BaseHTTPRequestHandler):
    """One request."""

    server: FakeApi

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, *words: Any) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        answer: dict[str, Any] = {"decision": self.server.decision}
        if self.path == "/v1/uploads":
            signed = {"Content-Type": "image/jpeg", "Content-Length": str(json.loads(body)["size"])}
            answer = {"key": "uploads/1/photo", "url": f"{self.server.address}/put?token=t", "headers": signed}
        content = json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_photo_is_uploaded_by_its_signed_address_and_without_the_key(api: FakeApi) -> None:
    api.decision = {"status": "assigned", "category": "Home >> Mugs", "confidence": 0.934, "reason": ""}
    listing = next(one for one in fresh_listings() if one.photo)
    line = ApiClient(api.address, "rk_secret", "sample").post(listing)
    assert line.endswith(" -> Home >> Mugs (93%) -> assigned")
    (_, _, asked, _), (method, path, put, photo), (_, _, posted, body) = api.seen
    assert asked["Authorization"] == posted["Authorization"] == "Bearer rk_secret"
    assert (method, path, photo) == ("PUT", "/put?token=t", listing.jpeg())
    assert "Authorization" not in put
    assert posted["Prefer"] == "wait=20"
    assert json.loads(body)["images"] == ["uploads/1/photo"]


@pytest.mark.parametrize(
    ("decision", "end"),
    [
        (None, "not decided within 20 s"),
        ({"status": "abstained", "category": None, "confidence": None, "reason": "no text"}, "abstained: no text"),
    ],
)
def test_a_decision_without_a_category_says_why(api: FakeApi, decision: dict[str, Any] | None, end: str) -> None:
    api.decision = decision
    listing = next(one for one in fresh_listings() if not one.photo)
    assert ApiClient(api.address, "rk_secret", "sample").post(listing).endswith(f" -> {end}")
    assert json.loads(api.seen[0][3])["images"] == []


def test_a_refusal_carries_the_message_of_the_api(api: FakeApi) -> None:
    api.status = 403
    with pytest.raises(Unavailable, match=r"was refused \(403\): .*uploads/1/photo"):
        ApiClient(api.address, "rk_secret", "sample").post(fresh_listings(1)[0])
