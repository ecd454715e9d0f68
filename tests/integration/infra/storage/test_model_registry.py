"""Model artefacts and weights: verified bytes through a shared cache, on each storage."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.storage.filesystem import FilesystemStorage
from infra.storage.model_registry import StorageModelRegistry
from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.errors import BadArtefact, InvalidInput, StorageUnavailable, Unavailable

FILES = {"text.npz": b"PK arrays", "manifest.json": b"{}"}


@pytest.fixture
def storage(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path / "storage", "http://x", "s")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def registry(storage: FilesystemStorage, cache: Path) -> StorageModelRegistry:
    return StorageModelRegistry(storage, cache)


def test_files_come_back(registry: StorageModelRegistry, storage: FilesystemStorage) -> None:
    digests = registry.save("v1", FILES)
    assert registry.load("v1", digests) == FILES
    assert [found.key for found in storage.keys("models/")] == ["models/v1/manifest.json", "models/v1/text.npz"]


def test_a_cached_file_needs_no_storage(registry: StorageModelRegistry, storage: FilesystemStorage) -> None:
    digests = registry.save("v1", FILES)
    registry.load("v1", digests)
    for name in FILES:
        storage.delete(f"models/v1/{name}")
    assert registry.load("v1", digests) == FILES


def test_a_corrupted_cache_entry_is_fetched_again(registry: StorageModelRegistry, cache: Path) -> None:
    digests = registry.save("v1", FILES)
    registry.load("v1", digests)
    for entry in cache.iterdir():
        entry.write_bytes(b"garbage")
    assert registry.load("v1", digests) == FILES


def test_a_corrupted_object_is_a_bad_artefact_and_is_not_cached(
    registry: StorageModelRegistry, storage: FilesystemStorage, cache: Path
) -> None:
    digests = registry.save("v1", FILES)
    storage.put("models/v1/text.npz", b"PK array5")
    with pytest.raises(BadArtefact, match=r"models/v1/text.npz is damaged"):
        registry.load("v1", digests)
    storage.put("models/v1/text.npz", FILES["text.npz"])
    assert registry.load("v1", digests) == FILES
    assert not list(cache.glob("unfinished-*"))


def test_a_missing_object_is_a_bad_artefact(registry: StorageModelRegistry) -> None:
    with pytest.raises(BadArtefact, match="missing"):
        registry.load("v1", {"text.npz": "0" * 64})


def test_a_digest_that_is_a_path_is_refused(registry: StorageModelRegistry) -> None:
    with pytest.raises(BadArtefact, match="not a SHA-256"):
        registry.load("v1", {"text.npz": "../../etc/passwd"})


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 81])
def test_a_name_that_is_a_path_is_refused(registry: StorageModelRegistry, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a model file"):
        registry.save(name, FILES)
    with pytest.raises(InvalidInput, match="cannot name a model file"):
        registry.weights_path(name)


def test_many_readers_share_one_cache(storage: FilesystemStorage, cache: Path) -> None:
    files = {f"part-{n}": bytes([n]) * 300_000 for n in range(4)}
    digests = StorageModelRegistry(storage, cache).save("v1", files)
    with ThreadPoolExecutor(8) as threads:
        loads = [threads.submit(StorageModelRegistry(storage, cache).load, "v1", digests) for _ in range(24)]
        assert all(load.result() == files for load in loads)
    assert len(list(cache.iterdir())) == 4


def test_weights_come_back_as_a_local_file_of_their_kind(registry: StorageModelRegistry, tmp_path: Path) -> None:
    source = tmp_path / "vgg16_notop.h5"
    source.write_bytes(bytes(range(256)) * 20_000)
    registry.add_weights("vgg16", source)
    local = registry.weights_path("vgg16")
    assert local.suffix == ".h5"
    assert local.read_bytes() == source.read_bytes()
    assert registry.weights_path("vgg16") == local
    local.write_bytes(b"garbage")
    assert registry.weights_path("vgg16").read_bytes() == source.read_bytes()


def test_newer_weights_replace_older_ones(registry: StorageModelRegistry, tmp_path: Path) -> None:
    source = tmp_path / "w.h5"
    for content in (b"first", b"second"):
        source.write_bytes(content)
        registry.add_weights("vgg16", source)
        assert registry.weights_path("vgg16").read_bytes() == content


def test_absent_weights_say_what_to_do(registry: StorageModelRegistry) -> None:
    message = "no weights named vgg16; add them with: rayon models add vgg16 FILE"
    with pytest.raises(Unavailable) as raised:
        registry.weights_path("vgg16")
    assert str(raised.value) == message


def test_an_empty_or_missing_weights_file_is_refused(registry: StorageModelRegistry, tmp_path: Path) -> None:
    (tmp_path / "empty.h5").touch()
    for path in (tmp_path / "empty.h5", tmp_path / "none.h5", tmp_path):
        with pytest.raises(InvalidInput, match="weights"):
            registry.add_weights("vgg16", path)


def test_a_storage_that_is_down_is_not_a_bad_artefact(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    registry = StorageModelRegistry(FilesystemStorage(tmp_path / "file", "http://x", "s"), cache)
    with pytest.raises(StorageUnavailable):
        registry.load("v1", {"a": "0" * 64})


def test_weights_that_come_with_the_installation_are_used_until_others_are_added(
    registry: StorageModelRegistry, tmp_path: Path
) -> None:
    bundled = bundled_weights("efficientnet")
    assert bundled is not None
    assert "efficientnet" in registry.available_weights()
    assert registry.weights_path("efficientnet") == bundled.path
    assert registry.weights_digest("efficientnet") == bundled.sha256
    (source := tmp_path / "other.pth").write_bytes(b"other weights")
    digest = registry.add_weights("efficientnet", source)
    assert registry.weights_digest("efficientnet") == digest
    assert registry.weights_path("efficientnet").read_bytes() == b"other weights"
    # Models that were built from the installed file still find it.
    assert registry.weights_of_digest("efficientnet", bundled.sha256) == bundled.path
    assert registry.weights_of_digest("efficientnet", digest).read_bytes() == b"other weights"
