"""What only a folder does: sign uploads for the api, survive kills, speak plainly of a broken disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from infra.storage.filesystem import FilesystemStorage
from pipeline.domain.errors import InvalidInput, StorageUnavailable
from pipeline.ports.services import PresignedPut

KEY = "uploads/key 1/ph=to.jpg"


class Address(NamedTuple):
    key: str
    query: dict[str, str]
    put: PresignedPut


def address(
    storage: FilesystemStorage, key: str = KEY, content_type: str = "image/jpeg", size: int = 5, expires_in: int = 60
) -> Address:
    put = storage.presign_put(key, content_type, size, expires_in)
    parts = urlsplit(put.url)
    assert put.url.startswith("http://127.0.0.1:8000/v1/objects/")
    return Address(unquote(parts.path.removeprefix("/v1/objects/")), dict(parse_qsl(parts.query)), put)


def test_a_signed_address_allows_its_key_type_and_size(folder_storage: FilesystemStorage) -> None:
    key, query, put = address(folder_storage)
    claims = folder_storage.verify_put(key, query)
    assert (claims.key, claims.content_type, claims.size) == (KEY, "image/jpeg", 5)
    assert put.headers == {"Content-Type": "image/jpeg", "Content-Length": "5"}
    claims.check_body("image/jpeg", 5)
    with pytest.raises(InvalidInput, match="5 bytes"):
        claims.check_body("image/jpeg", 6)
    with pytest.raises(InvalidInput, match="image/jpeg"):
        claims.check_body("text/html", 5)


def test_a_signed_address_is_good_for_no_other_key(folder_storage: FilesystemStorage) -> None:
    _, query, _ = address(folder_storage)
    with pytest.raises(InvalidInput, match="another key"):
        folder_storage.verify_put("uploads/other.jpg", query)


@pytest.mark.parametrize("query", [{}, {"token": ""}, {"token": "x.y"}, {"token": "bm9uZQ.é"}])
def test_a_made_up_signature_is_refused(folder_storage: FilesystemStorage, query: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="not valid"):
        folder_storage.verify_put(KEY, query)


def test_a_signature_of_another_secret_is_refused(folder_storage: FilesystemStorage, tmp_path: Path) -> None:
    other = FilesystemStorage(tmp_path, "http://127.0.0.1:8000", "another secret")
    key, query, _ = address(other)
    with pytest.raises(InvalidInput, match="not valid"):
        folder_storage.verify_put(key, query)


def test_a_late_address_is_refused(folder_storage: FilesystemStorage) -> None:
    key, query, _ = address(folder_storage, expires_in=0)
    with pytest.raises(InvalidInput, match="expired"):
        folder_storage.verify_put(key, query)


def test_a_writer_killed_midway_leaves_the_old_bytes_and_its_rest_is_swept(tmp_path: Path) -> None:
    storage = FilesystemStorage(tmp_path, "http://x", "s")
    storage.put("a", b"old")
    script = (
        "import os, pathlib, sys; from infra.storage.filesystem import FilesystemStorage as F\n"
        "s = F(pathlib.Path(sys.argv[1]), 'http://x', 's')\n"
        "with s._new_object('a', 't/t') as f: f.write(b'new'); f.flush(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script, tmp_path]).returncode == -9
    assert storage.get("a") == b"old"
    (rest,) = (tmp_path / "unfinished").iterdir()
    assert storage.delete_stale_temporary_files() == 0, "a fresh one may still be in use"
    os.utime(rest, (time.time() - 7200, time.time() - 7200))
    assert storage.delete_stale_temporary_files() == 1


def test_a_file_cut_short_is_reported_not_served(tmp_path: Path) -> None:
    storage = FilesystemStorage(tmp_path, "http://x", "s")
    storage.put("a", b"0123456789", "image/png")
    (stored,) = (tmp_path / "objects").iterdir()
    stored.write_bytes(stored.read_bytes()[:-3])
    with pytest.raises(StorageUnavailable, match="damaged"):
        storage.get("a")


def test_a_folder_that_is_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("in the way")
    storage = FilesystemStorage(tmp_path / "root", "http://x", "s")
    with pytest.raises(StorageUnavailable):
        storage.ping()
    with pytest.raises(StorageUnavailable):
        storage.put("a", b"")
