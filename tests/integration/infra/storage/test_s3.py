"""What only S3 does: presigned uploads the server itself checks, and the errors of a distant service."""

from __future__ import annotations

import socket
import time

import pytest
import requests

from infra.storage.factory import open_storage
from infra.storage.s3 import S3Storage
from pipeline.domain.errors import StorageUnavailable
from pipeline.ports.services import PresignedPut


def put(signed: PresignedPut, body: bytes, **changed: str) -> int:
    return requests.put(signed.url, data=body, headers={**signed.headers, **changed}, timeout=10).status_code


def test_a_presigned_upload_arrives(s3_storage: S3Storage) -> None:
    signed = s3_storage.presign_put("uploads/k/a.png", "image/png", 5, 60)
    assert put(signed, b"12345") == 200
    assert s3_storage.get("uploads/k/a.png") == b"12345"
    stored = s3_storage.stat("uploads/k/a.png")
    assert stored is not None
    assert stored.content_type == "image/png"


def test_the_server_refuses_another_size_or_type(s3_storage: S3Storage) -> None:
    signed = s3_storage.presign_put("uploads/k/a.png", "image/png", 5, 60)
    assert put(signed, b"123456", **{"Content-Length": "6"}) == 403
    assert put(signed, b"12345", **{"Content-Type": "text/html"}) == 403
    assert s3_storage.stat("uploads/k/a.png") is None


def test_the_server_refuses_a_late_upload(s3_storage: S3Storage) -> None:
    signed = s3_storage.presign_put("uploads/k/a.png", "image/png", 5, 1)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and put(signed, b"12345") == 200:
        time.sleep(0.2)
    assert put(signed, b"12345") == 403


def test_wrong_credentials_are_unavailable_and_say_so(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    storage = open_storage(f"s3://bucket?endpoint={s3_endpoint}", public_url="", secret="")
    with pytest.raises(StorageUnavailable, match="refuses"):
        storage.get("a")


@pytest.mark.usefixtures("s3_storage")
def test_an_absent_bucket_is_unavailable(s3_endpoint: str) -> None:
    storage = open_storage(f"s3://no-such-bucket?endpoint={s3_endpoint}", public_url="", secret="")
    with pytest.raises(StorageUnavailable, match="no bucket"):
        storage.ping()
    with pytest.raises(StorageUnavailable):
        storage.put("a", b"x")


def test_a_server_that_is_down_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        storage = open_storage(f"s3://bucket?endpoint=http://127.0.0.1:{port}", public_url="", secret="")
        with pytest.raises(StorageUnavailable, match="does not answer"):
            storage.get("a")
