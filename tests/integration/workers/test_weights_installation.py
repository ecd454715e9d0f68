"""Weights fetched from a publisher of the test: checked, stored, pinned, and found by other processes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py  # type: ignore[import-untyped]
import pytest

from infra.safe_fetch.published_file_download import DownloadPolicy
from infra.settings import read_settings
from infra.storage.weights_fetch_log import WeightsFetchLog
from pipeline.domain import extractors
from pipeline.domain.bundled_weights import all_bundled_weights
from pipeline.domain.errors import BadArtefact, InvalidInput, StorageUnavailable, Unavailable
from pipeline.domain.job import RetryPolicy
from pipeline.domain.progress import no_progress
from pipeline.domain.published_file import PublishedFile
from pipeline.features import weights_lookup
from pipeline.networks.backbones import find_backbone
from pipeline.networks.weights_file import read_weights
from tests.integration.infra.safe_fetch.file_host import FileHost, cut_after, running_file_host, status
from tests.unit.pipeline.networks.samples import write_weights
from workers import weights_installation
from workers.bootstrap import WorkerContext, build

BUNDLED = {weights.extractor for weights in all_bundled_weights()}
ONE_TRY = DownloadPolicy(connect_timeout=2.0, read_timeout=2.0, retry=RetryPolicy(attempt_limit=1))


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of SqueezeNet's layout with random numbers."""
    return write_weights(find_backbone("squeezenet"), tmp_path_factory.mktemp("published") / "w.h5").read_bytes()


@pytest.fixture
def context(tmp_path: Path) -> WorkerContext:
    """A context of which only the storage is used: a folder."""
    return build(
        read_settings({"DATABASE_URL": "postgresql+psycopg2://nobody@127.0.0.1:1/none", "RAYON_HOME": str(tmp_path)})
    )


@pytest.fixture
def publisher(squeezenet: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileHost]:
    """Publishes that file; the table of extractors knows it by its digest."""
    with running_file_host(squeezenet) as host:
        publish(monkeypatch, "squeezenet", PublishedFile("squeezenet.h5", *known(host)))
        yield host


def known(host: FileHost) -> tuple[str, int, None, str]:
    return host.address, len(host.content), None, hashlib.sha256(host.content).hexdigest()


def publish(monkeypatch: pytest.MonkeyPatch, name: str, file: PublishedFile) -> None:
    rows = (replace(row, published=file) if row.name == name else row for row in extractors.EXTRACTORS)
    monkeypatch.setattr(extractors, "EXTRACTORS", tuple(rows))


def fetch(context: WorkerContext, name: str = "squeezenet", address: str = "") -> weights_installation.InstalledWeights:
    return weights_installation.fetch_weights(context, name, no_progress, address, ONE_TRY)


@pytest.mark.usefixtures("publisher")
def test_fetched_weights_are_found_by_a_worker_with_a_cache_of_its_own(context: WorkerContext, tmp_path: Path) -> None:
    steps: list[tuple[float, str]] = []
    installed = weights_installation.fetch_weights(
        context, "squeezenet", lambda share, note: steps.append((share, note)), policy=ONE_TRY
    )
    assert installed.is_new
    assert (1.0, "fetching squeezenet: 3.0 of 3.0 MB") in steps
    assert context.registry.available_weights() == BUNDLED | {"squeezenet"}
    settings = context.settings.model_copy(
        update={"home": tmp_path / "elsewhere", "storage_url": (tmp_path / "objects").as_uri()}
    )
    found = weights_lookup.find_weights("squeezenet", build(settings).registry.weights_path)
    assert found is not None
    assert Path(found).parent == tmp_path / "elsewhere" / "cache"
    assert len(read_weights(find_backbone("squeezenet"), Path(found))) == 25
    assert list((tmp_path / "cache" / "downloads" / "squeezenet").glob("*.h5*[!k]")) == []


def test_installed_weights_are_not_fetched_again_unless_they_are_damaged(
    context: WorkerContext, publisher: FileHost, tmp_path: Path
) -> None:
    kept = fetch(context)
    assert fetch(context) == replace(kept, published=True, is_new=False)
    assert len(publisher.asked) == 1
    (tmp_path / "cache" / f"{kept.sha256}.h5").unlink(missing_ok=True)
    context.storage.put(f"weights/squeezenet/{kept.sha256}", b"damaged")
    assert fetch(context).is_new
    assert len(publisher.asked) == 2


def test_an_interrupted_fetch_says_so_and_the_next_continues(context: WorkerContext, publisher: FileHost) -> None:
    publisher.ways = [cut_after(0.9)]
    with pytest.raises(Unavailable, match=r"^the weights of squeezenet cannot be fetched: 127.0.0.1 .* MB are kept"):
        fetch(context)
    assert context.registry.available_weights() == BUNDLED
    assert fetch(context).is_new
    assert str(publisher.ranges[1]).startswith("bytes=")


def test_a_mirror_is_held_to_the_same_bytes(context: WorkerContext, publisher: FileHost, squeezenet: bytes) -> None:
    with running_file_host(squeezenet[:-1] + b"x") as mirror:
        with pytest.raises(BadArtefact, match="another file than the known one: its SHA-256"):
            fetch(context, address=mirror.address)
        assert context.registry.available_weights() == BUNDLED
        mirror.content = squeezenet
        assert fetch(context, address=mirror.address).is_new
    assert publisher.asked == []


def test_a_file_known_by_its_md5_is_pinned_by_the_first_that_is_accepted(
    context: WorkerContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At VGG16's full size, as its publisher gives it: size and MD5."""
    path = write_weights(find_backbone("vgg16"), tmp_path / "published.h5")
    content = path.read_bytes()
    with running_file_host(content) as host:
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        publish(monkeypatch, "vgg16", PublishedFile("vgg16.h5", host.address, len(content), md5))
        host.ways = [cut_after(0.5), status(503)]
        with pytest.raises(Unavailable):
            fetch(context, "vgg16")
        with pytest.raises(Unavailable):
            fetch(context, "vgg16")
        kept = fetch(context, "vgg16")
        assert kept.sha256 == hashlib.sha256(content).hexdigest()
        assert weights_installation.published_file_of(context, "vgg16").sha256 == kept.sha256
        assert not fetch(context, "vgg16").is_new
        assert host.sent < 1.1 * len(content)
    assert weights_lookup.find_weights("vgg16", context.registry.weights_path) is not None


def test_a_file_without_any_published_digest_is_pinned_too(
    context: WorkerContext, squeezenet: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_file_host(squeezenet) as host:
        publish(monkeypatch, "squeezenet", PublishedFile("squeezenet.h5", host.address))
        kept = fetch(context)
        context.storage.delete("weights/squeezenet/manifest.json")
        other = tmp_path / "other.h5"
        other.write_bytes(squeezenet)
        with h5py.File(other, "r+") as file:
            file["conv1/conv1_b_1:0"][0] += 1
        host.content = other.read_bytes()
        with pytest.raises(BadArtefact, match=f"its SHA-256 is .*…, not {kept.sha256[:12]}…"):
            fetch(context)
    assert weights_installation.add_weights(context, "squeezenet", str(other)).sha256 != kept.sha256


@pytest.mark.parametrize("content", [b"no weights at all", b""])
def test_a_file_of_anything_else_is_refused(
    context: WorkerContext, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_file_host(content) as host:
        publish(monkeypatch, "squeezenet", PublishedFile("squeezenet.h5", host.address))
        with pytest.raises(BadArtefact, match="no weights file of squeezenet"):
            fetch(context)
    assert list(context.storage.keys("weights/")) == []
    assert [path.suffix for path in weights_installation.download_folder(context, "squeezenet").iterdir()] == [".lock"]


def test_a_file_that_could_not_be_stored_is_not_downloaded_twice(
    context: WorkerContext, publisher: FileHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object) -> str:
        raise StorageUnavailable("the storage does not answer")

    monkeypatch.setattr(context.registry, "add_weights", away)
    with pytest.raises(Unavailable, match=r"the storage does not answer; 3\.0 MB are kept"):
        fetch(context)
    monkeypatch.undo()
    publish(monkeypatch, "squeezenet", PublishedFile("squeezenet.h5", *known(publisher)))
    assert fetch(context).is_new
    assert len(publisher.asked) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tfidf", "'tfidf' takes no weights that can be fetched; these do: use, vgg16, squeezenet"),
        ("nothing", "'nothing' takes no weights that can be fetched"),
        ("sentence", "choose a model: rayon models add sentence FILE"),
    ],
)
def test_weights_that_cannot_be_fetched_are_refused_with_the_alternative(
    context: WorkerContext, name: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        fetch(context, name)


def test_each_failure_doubles_the_delay(context: WorkerContext) -> None:
    fetch_log = WeightsFetchLog(context.storage)
    waits = []
    for _ in range(12):
        failed = fetch_log.record_failure("vgg16", "closed")
        waits.append(failed.next_fetch_at - failed.failed_at)
    assert waits[:3] == [600, 1200, 2400]
    assert waits[-1] == 86_400
    fetch_log.clear_failures("vgg16")
    assert fetch_log.failed("vgg16") is None
    context.storage.put("weights/vgg16/failed.json", b"[]")
    assert fetch_log.failed("vgg16") is None
