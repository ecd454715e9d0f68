"""What every storage promises, held by each adapter on its real ground."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.storage.storage_interface import FileTransferStorage
from pipeline.domain.errors import InvalidInput, NotFound
from pipeline.ports.services import StoredObject


def test_an_object_comes_back_with_its_size_and_type(storage: FileTransferStorage) -> None:
    storage.put("uploads/k1/photo.jpg", b"\xff\xd8 bytes", "image/jpeg")
    assert storage.get("uploads/k1/photo.jpg") == b"\xff\xd8 bytes"
    assert storage.stat("uploads/k1/photo.jpg") == StoredObject("uploads/k1/photo.jpg", 8, "image/jpeg")


def test_an_empty_object_is_an_object(storage: FileTransferStorage) -> None:
    storage.put("empty", b"", "text/plain")
    assert storage.get("empty") == b""
    assert storage.stat("empty") == StoredObject("empty", 0, "text/plain")


def test_a_second_put_replaces_bytes_and_type(storage: FileTransferStorage) -> None:
    storage.put("a", b"first, longer", "image/png")
    storage.put("a", b"second", "image/jpeg")
    assert storage.get("a") == b"second"
    assert storage.stat("a") == StoredObject("a", 6, "image/jpeg")


def test_an_absent_key(storage: FileTransferStorage) -> None:
    with pytest.raises(NotFound, match="nothing/here"):
        storage.get("nothing/here")
    assert storage.stat("nothing/here") is None
    storage.delete("nothing/here")


def test_a_deleted_key_is_absent(storage: FileTransferStorage) -> None:
    storage.put("a/b", b"x")
    storage.delete("a/b")
    assert storage.stat("a/b") is None
    assert list(storage.keys("")) == []


def test_the_limit_is_exact(storage: FileTransferStorage) -> None:
    storage.put("ten", b"0123456789")
    assert storage.get("ten", limit=10) == b"0123456789"
    with pytest.raises(InvalidInput, match="10 bytes"):
        storage.get("ten", limit=9)


def test_keys_come_in_order_under_a_prefix_even_of_half_a_name(storage: FileTransferStorage) -> None:
    names = ["a", "a-b", "a/b", "a/b=c", "a/é ü", "a0", "ab/c/d", "b%2Fc", "b/a"]
    for name in reversed(names):
        storage.put(name, name.encode(), "text/plain")
    assert [found.key for found in storage.keys("")] == sorted(names, key=str.encode)
    assert [found.key for found in storage.keys("a/")] == ["a/b", "a/b=c", "a/é ü"]
    assert [found.key for found in storage.keys("ab/c")] == ["ab/c/d"]
    assert list(storage.keys("zz")) == []
    assert storage.get("a") == b"a"
    assert storage.get("b%2Fc") == b"b%2Fc"


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "a\x00b", "a\nb", "x" * 81, "a/" * 400 + "a"]
)
def test_a_key_that_could_escape_is_refused_by_every_method(storage: FileTransferStorage, key: str) -> None:
    for call in (storage.get, storage.stat, storage.delete, lambda k: storage.put(k, b"")):
        with pytest.raises(InvalidInput):
            call(key)
    with pytest.raises(InvalidInput):
        storage.presign_put(key, "image/png", 1, 60)


def test_a_reader_sees_the_old_bytes_or_the_new_ones(storage: FileTransferStorage) -> None:
    versions = [bytes([n]) * 200_000 for n in range(8)]
    storage.put("shared", versions[0], "type/0")
    with ThreadPoolExecutor(4) as threads:
        writes = [threads.submit(storage.put, "shared", v, f"type/{v[0]}") for v in versions]
        reads = [threads.submit(storage.get, "shared") for _ in range(24)]
        for write in writes:
            write.result()
        assert all(read.result() in versions for read in reads)
    found = storage.stat("shared")
    assert found is not None
    assert found.content_type == f"type/{storage.get('shared')[0]}"


def test_files_are_stored_and_read_in_chunks(storage: FileTransferStorage, tmp_path: Path) -> None:
    source, target = tmp_path / "weights.h5", tmp_path / "copy.h5"
    source.write_bytes(bytes(range(256)) * 50_000)
    storage.put_file("weights/big", source, "application/x-hdf5")
    storage.get_file("weights/big", target)
    assert target.read_bytes() == source.read_bytes()
    assert storage.stat("weights/big") == StoredObject("weights/big", 12_800_000, "application/x-hdf5")
    with pytest.raises(NotFound):
        storage.get_file("weights/none", tmp_path / "none")


def test_a_storage_that_works_answers_a_ping(storage: FileTransferStorage) -> None:
    storage.ping()
