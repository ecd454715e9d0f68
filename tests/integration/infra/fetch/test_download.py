"""Downloads from a real server: continued, held to what is known of the file, and refused in plain words."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import random
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.fetching.download import DownloadPolicy, downloaded, kept_bytes
from infra.fetching.partial import PartialFile
from pipeline.domain.errors import (
    AddressUnavailable,
    BadArtefact,
    Conflict,
    InvalidInput,
    PermanentFailure,
    TransientFailure,
    Unavailable,
)
from pipeline.domain.job import RetryPolicy
from pipeline.domain.published import PublishedFile
from tests.integration.infra.fetch.file_host import (
    FileHost,
    cut_after,
    ended_after,
    hosting,
    page,
    properly,
    status,
    without_length,
    without_ranges,
)

CONTENT = random.Random(3).randbytes(3_000_000)
HASTY = DownloadPolicy(
    connect_time=2.0,
    silence=0.3,
    retry=RetryPolicy(attempt_limit=3, first_delay=0.01, longest_delay=0.01),
    longest_asked_delay=0.02,
)
ONE_TRY = DownloadPolicy(connect_time=2.0, silence=0.3, retry=RetryPolicy(attempt_limit=1))


@pytest.fixture
def host() -> Iterator[FileHost]:
    with hosting(CONTENT) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


def fetch(
    wanted: PublishedFile,
    folder: Path,
    policy: DownloadPolicy = HASTY,
    seen: list[tuple[int, int | None]] | None = None,
) -> bytes:
    told = [] if seen is None else seen
    with downloaded(wanted, folder, lambda size, total: told.append((size, total)), policy) as path:
        assert path.name == "weights.h5"
        return path.read_bytes()


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"weights.h5.lock"}


def test_a_file_comes_whole_and_nothing_is_left(host: FileHost, folder: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    assert fetch(host.published(), folder, seen=seen) == CONTENT
    assert (seen[0], seen[-1]) == ((0, len(CONTENT)), (len(CONTENT), len(CONTENT)))
    assert left(folder) == set()
    assert host.asked[0]["Accept-Encoding"] == "identity"


def test_an_interrupted_download_is_continued_by_the_next_one(host: FileHost, folder: Path) -> None:
    host.ways = [cut_after(0.6)]
    with pytest.raises(AddressUnavailable):
        fetch(host.published(), folder, ONE_TRY)
    kept = kept_bytes(host.published(), folder)
    assert 0 < kept <= 0.6 * len(CONTENT)
    host.sent = 0
    assert fetch(host.published(), folder) == CONTENT
    assert host.ranges == [None, f"bytes={kept}-"]
    assert host.asked[1]["If-Range"] == host.tag
    assert host.sent == len(CONTENT) - kept


def test_cut_connections_are_continued_while_each_brings_something(host: FileHost, folder: Path) -> None:
    host.ways = [ended_after(0.4), ended_after(0.6), cut_after(0.0)]
    assert fetch(host.published(), folder) == CONTENT
    assert len(host.asked) == 4


def test_a_host_that_hangs_up_without_an_answer_is_asked_again(host: FileHost, folder: Path) -> None:
    host.ways = [lambda asked: asked.cut()]
    assert fetch(host.published(), folder) == CONTENT


def test_a_host_that_asks_for_patience_is_asked_again(host: FileHost, folder: Path) -> None:
    host.ways = [status(429, Retry_After="3600"), status(503)]
    assert fetch(host.published(), folder) == CONTENT


def test_a_host_that_fails_again_and_again_is_given_up(host: FileHost, folder: Path) -> None:
    host.ways = [status(503)] * 3
    with pytest.raises(AddressUnavailable, match=r"^127.0.0.1 answers 503 \(Service Unavailable\)$"):
        fetch(host.published(), folder)
    assert host.ways == []


def test_a_file_that_changed_meanwhile_begins_anew(host: FileHost, folder: Path) -> None:
    host.ways = [cut_after(0.6)]
    with pytest.raises(AddressUnavailable):
        fetch(host.published(), folder, ONE_TRY)
    host.content, host.tag = CONTENT[::-1], '"two"'
    assert fetch(host.published(), folder) == CONTENT[::-1]
    assert len(host.asked) == 2


def test_a_host_without_ranges_sends_all_again(host: FileHost, folder: Path) -> None:
    host.ways = [without_ranges(0.6), without_ranges()]
    assert fetch(host.published(), folder) == CONTENT
    assert host.ranges[0] is None
    assert str(host.ranges[1]).startswith("bytes=")


def test_halves_of_a_file_known_by_nothing_are_not_joined(host: FileHost, folder: Path) -> None:
    host.ways = [without_ranges(0.6)]
    assert fetch(host.published(size=None, sha256=None), folder) == CONTENT
    assert host.ranges == [None, None]


@pytest.mark.parametrize(("more", "sent"), [(b"", 0), (b"more than there is", len(CONTENT))])
def test_a_part_that_was_complete_already_is_taken(host: FileHost, folder: Path, more: bytes, sent: int) -> None:
    host.ways = [cut_after(0.5)]
    with pytest.raises(AddressUnavailable):
        fetch(host.published(), folder, ONE_TRY)
    (folder / "weights.h5.part").write_bytes(CONTENT + more)
    host.sent = 0
    assert fetch(host.published(), folder) == CONTENT
    assert host.sent == sent


def test_another_address_begins_anew(host: FileHost, folder: Path) -> None:
    host.ways = [cut_after(0.6)]
    with pytest.raises(AddressUnavailable):
        fetch(host.published(), folder, ONE_TRY)
    with hosting(CONTENT) as mirror:
        assert fetch(mirror.published(), folder) == CONTENT
        assert mirror.ranges == [None]


def test_redirects_are_followed_but_not_for_ever(host: FileHost, folder: Path) -> None:
    host.ways = [status(302, Location="/elsewhere"), status(301, Location="/there")]
    assert fetch(host.published(), folder) == CONTENT
    host.ways = [status(302, Location="/round")] * 20
    with pytest.raises(PermanentFailure, match="redirects more than 5 times"):
        fetch(host.published(), folder)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"sha256": "0" * 64}, "its SHA-256 is .*…, not 000000000000…; it was thrown away"),
        ({"sha256": None, "md5": "0" * 32}, "its MD5 is .*…, not 000000000000…; it was thrown away"),
        ({"size": 58_889_256}, "has 3,000,000 bytes, the known one has 58,889,256"),
    ],
)
def test_wrong_bytes_are_thrown_away(host: FileHost, folder: Path, known: dict[str, Any], said: str) -> None:
    with pytest.raises(BadArtefact, match=said):
        fetch(host.published(**known), folder)
    assert left(folder) == set()
    if "size" in known:
        assert host.sent <= len(CONTENT)


def test_an_answer_longer_than_the_file_is_cut_off(host: FileHost, folder: Path) -> None:
    host.ways = [without_length]
    with pytest.raises(BadArtefact, match="the known one has 1,000"):
        fetch(host.published(size=1000), folder)
    assert left(folder) == set()


def test_an_md5_alone_is_enough_to_accept(host: FileHost, folder: Path) -> None:
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    host.ways = [without_length]
    assert fetch(host.published(sha256=None, md5=md5), folder) == CONTENT


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (status(404), r"^127.0.0.1 answers 404 \(Not Found\)$"),
        (status(403), r"answers 403 \(Forbidden\)"),
        (page, "a web page instead of the file"),
    ],
)
def test_what_is_no_file_is_told_at_once(host: FileHost, folder: Path, way: Any, said: str) -> None:
    host.ways = [way]
    with pytest.raises(PermanentFailure, match=said):
        fetch(host.published(), folder)
    assert len(host.asked) == 1


def test_a_host_that_falls_silent_is_asked_again(host: FileHost, folder: Path) -> None:
    def silent(asked: Any) -> None:
        properly(asked, 0.5)
        time.sleep(1)

    host.ways = [silent]
    assert fetch(host.published(), folder) == CONTENT
    assert len(host.asked) == 2


def test_a_closed_network_is_told_at_once(host: FileHost, folder: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    started = time.monotonic()
    for address, said in [
        (f"http://127.0.0.1:{port}/w", r"^127.0.0.1 cannot be reached \(Connection refused\): the network is closed"),
        (
            host.address.replace("http://", "https://"),
            r"^127.0.0.1 cannot be reached \(.*SSL.*\): the network is closed",
        ),
        ("http://weights.invalid/w", r"^weights.invalid cannot be reached \(.*\): the network is closed"),
    ]:
        with pytest.raises(AddressUnavailable, match=said):
            fetch(PublishedFile("weights.h5", address), folder)
    assert time.monotonic() - started < 5


def test_a_proxy_of_the_environment_is_used(host: FileHost, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", host.address.removesuffix("/weights.h5"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    known = PublishedFile("weights.h5", "http://weights.invalid/w", len(CONTENT))
    assert fetch(known, folder) == CONTENT
    assert host.asked[0]["Host"] == "weights.invalid"


@pytest.mark.parametrize("address", ["ftp://example.org/w", "/etc/passwd", "weights.h5"])
def test_other_addresses_are_refused(folder: Path, address: str) -> None:
    with pytest.raises(InvalidInput, match="only http:// and https://"):
        fetch(PublishedFile("weights.h5", address), folder)


def test_a_full_disk_is_told_before_anything_comes(
    host: FileHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(Unavailable, match="is full: 3 MB are to come, 1 MB are free"):
        fetch(host.published(), folder)


def test_a_disk_that_fills_up_meanwhile_keeps_what_has_come(
    host: FileHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = PartialFile.append

    def until_full(partial: PartialFile, piece: bytes) -> None:
        if partial.size > 1_000_000:
            monkeypatch.setattr(partial, "_stream", Full())
        append(partial, piece)

    monkeypatch.setattr(PartialFile, "append", until_full)
    with pytest.raises(Unavailable, match="is full: make room; what has come is kept"):
        fetch(host.published(), folder)
    monkeypatch.undo()
    assert kept_bytes(host.published(), folder) > 1_000_000
    assert fetch(host.published(), folder) == CONTENT
    assert host.ranges[1] is not None


class Full:
    def write(self, piece: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_one_process_at_a_time(host: FileHost, folder: Path) -> None:
    with (
        downloaded(host.published(), folder, lambda size, total: None, HASTY),
        pytest.raises(Conflict, match="another process is fetching"),
    ):
        fetch(host.published(), folder)


def test_what_could_not_be_used_for_now_need_not_come_twice(host: FileHost, folder: Path) -> None:
    with (
        pytest.raises(TransientFailure),
        downloaded(host.published(), folder, lambda size, total: None, HASTY),
    ):
        raise TransientFailure("the storage does not answer")
    assert fetch(host.published(), folder) == CONTENT
    assert len(host.asked) == 1


def test_a_killed_process_leaves_what_has_come(host: FileHost, folder: Path) -> None:
    def hang(asked: Any) -> None:
        properly(asked, 0.5)
        time.sleep(5)

    host.ways = [hang]
    patient = DownloadPolicy(silence=30)
    child = multiprocessing.get_context("spawn").Process(target=fetch, args=(host.published(), folder, patient))
    child.start()
    deadline = time.monotonic() + 20
    while kept_bytes(host.published(), folder) < 0.5 * len(CONTENT):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.kill()
    child.join()
    assert fetch(host.published(), folder) == CONTENT
    assert host.ranges[1] == f"bytes={len(CONTENT) // 2}-"
