"""Addresses of storages: the good ones open, the bad ones say what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.settings import read_settings
from infra.storage.factory import open_storage, storage_from_settings
from infra.storage.filesystem import FilesystemStorage
from infra.storage.s3 import S3Storage
from pipeline.domain.errors import InvalidInput


def test_by_default_the_storage_is_a_folder_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for home in (tmp_path / "100%41 of it", tmp_path / "here"):
        settings = read_settings({"DATABASE_URL": "postgresql://nowhere/none", "RAYON_HOME": home.name})
        storage_from_settings(settings).put("key", b"x")
        assert list((home / "objects" / "objects").iterdir()), "there, and nowhere else"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder(tmp_path: Path) -> None:
    storage = open_storage(f"file://{tmp_path}/a%20b", public_url="http://h", secret="s")
    assert isinstance(storage, FilesystemStorage)
    storage.put("k", b"x")
    assert (tmp_path / "a b" / "objects").is_dir()


def test_a_bucket_with_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    storage = open_storage(
        "s3://bucket/pre/fix?endpoint=http://s3:9000&region=eu-west-3&public_endpoint=https://photos.example",
        public_url="",
        secret="",
    )
    assert isinstance(storage, S3Storage)
    signed = storage.presign_put("a/b.jpg", "image/jpeg", 7, 60).url
    assert signed.startswith("https://photos.example/bucket/pre/fix/a/b.jpg?")
    assert "eu-west-3" in signed
    assert "X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost" in signed


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/var/lib/rayon",
        "file://",
        "file:///",
        "file://elsewhere/folder",
        "file:///a?b=c",
        "s3://",
        "s3://key:secret@bucket",
        "s3://bucket?endpoint=localhost:9000",
        "s3://bucket?endpiont=http://localhost:9000",
        "gs://bucket",
    ],
)
def test_a_bad_address_says_what_to_write(url: str) -> None:
    with pytest.raises(InvalidInput, match="write file:///absolute/folder or s3://bucket"):
        open_storage(url, public_url="http://h", secret="s")
