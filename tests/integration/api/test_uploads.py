"""Uploads and photos: signed, stored, shown encoded again."""

from __future__ import annotations

import io

from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine

from api.app import create_app
from infra.photos.photo_fetcher import image_key
from infra.storage.factory import open_storage
from pipeline.domain.claimed_job import ImageResult
from pipeline.domain.listing import ImageStatus
from tests.integration.api.conftest import SettingsMaker
from tests.integration.api.part_of_a_worker import decide


def png(width: int = 900, height: int = 300) -> bytes:
    written = io.BytesIO()
    Image.new("RGBA", (width, height), (200, 30, 30, 0)).save(written, "PNG")
    return written.getvalue()


def offer(client: TestClient, key: dict[str, str], size: int) -> dict[str, object]:
    answer = client.post("/v1/uploads", json={"content_type": "image/png", "size": size}, headers=key)
    assert answer.status_code == 201
    return dict(answer.json())


def test_round_trip_from_upload_to_the_photo_that_is_shown(
    client: TestClient, seller: dict[str, str], rival: dict[str, str], engine: Engine, settings_with: SettingsMaker
) -> None:
    content = png()
    offered = offer(client, seller, len(content))
    assert client.put(offered["url"], content=content, headers=offered["headers"]).status_code == 201
    listing = {"source": "shop", "external_id": "u-1", "images": [offered["key"]]}
    stolen = client.post("/v1/listings", json=listing | {"source": "rival"}, headers=rival)
    assert stolen.status_code == 422
    made = client.post("/v1/listings", json=listing, headers=seller).json()
    place = f"/v1/listings/{made['id']}/image/0"
    assert client.get(place, headers=seller).status_code == 404
    settings = settings_with()
    storage = open_storage(settings.storage_url, public_url="", secret="")
    assert storage.get(str(offered["key"])) == content
    storage.put(image_key(content), content)
    decide(engine, images=(ImageResult(0, ImageStatus.STORED, image_key(content)),))
    shown = client.get(place, headers=seller)
    assert shown.status_code == 200
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in shown.headers["content-security-policy"]
    with Image.open(io.BytesIO(shown.content)) as image:
        assert (image.format, image.size) == ("JPEG", (512, 171))
        corner = image.getpixel((5, 5))
        assert isinstance(corner, tuple)
        assert min(corner) > 250  # transparent is shown on white
    etag = shown.headers["etag"]
    for known, status in ((etag, 304), (f'"other", W/{etag}', 304), ("*", 304), ('"other"', 200), (etag[:-2], 200)):
        assert client.get(place, headers=seller | {"If-None-Match": known}).status_code == status


def test_wrong_size_type_key_and_signature(client: TestClient, seller: dict[str, str]) -> None:
    offered = offer(client, seller, 10)
    url, headers = str(offered["url"]), {"Content-Type": "image/png"}
    assert client.put(url, content=b"x" * 11, headers=headers).status_code == 413
    assert client.put(url, content=b"x" * 9, headers=headers).status_code == 422
    assert client.put(url, content=b"x" * 10, headers={"Content-Type": "text/html"}).status_code == 422
    assert client.put(url.replace("?token=", "?token=x"), content=b"x" * 10, headers=headers).status_code == 403
    assert client.put(url.replace("/uploads/", "/models/"), content=b"x" * 10, headers=headers).status_code == 403
    assert client.put(url.partition("?")[0], content=b"x" * 10, headers=headers).status_code == 403
    assert client.put(url, content=b"x" * 10, headers=headers).status_code == 201


def test_expired_address(client: TestClient, settings_with: SettingsMaker) -> None:
    settings = settings_with()
    storage = open_storage(settings.storage_url, public_url=settings.public_url, secret=settings.secret_key)
    signed = storage.presign_put("uploads/1/late", "image/png", 10, expires_in=-1)
    answer = client.put(signed.url, content=b"x" * 10, headers={"Content-Type": "image/png"})
    assert answer.status_code == 403
    assert "expired" in answer.json()["detail"]


def test_offers_have_limits(settings_with: SettingsMaker, seller: dict[str, str]) -> None:
    with TestClient(create_app(settings_with(upload_limit=1000))) as client:
        wanted = {"content_type": "image/png", "size": 1001}
        assert client.post("/v1/uploads", json=wanted, headers=seller).status_code == 413
        assert client.post("/v1/uploads", json=wanted | {"size": 0}, headers=seller).status_code == 422
        wanted["content_type"] = "text/html"
        assert client.post("/v1/uploads", json=wanted, headers=seller).status_code == 422
