"""Downloads from a real server: whole, continued where they stopped, and left for the next time."""

from __future__ import annotations

import errno
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

from infra.safe_fetch.partial_download import ResumableDownload
from infra.safe_fetch.published_file_download import DownloadPolicy, downloaded_bytes, downloaded_file
from pipeline.domain.errors import AddressUnavailable, Conflict, TransientFailure, Unavailable
from tests.integration.infra.safe_fetch.download_fixtures import CONTENT, HASTY, ONE_TRY, fetch, left
from tests.integration.infra.safe_fetch.file_host import (
    FileHost,
    cut_after,
    ended_after,
    normal,
    running_file_host,
    status,
    without_ranges,
)


def test_a_download_is_complete_and_leaves_nothing_behind(host: FileHost, folder: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    assert fetch(host.published(), folder, seen=seen) == CONTENT
    assert (seen[0], seen[-1]) == ((0, len(CONTENT)), (len(CONTENT), len(CONTENT)))
    assert left(folder) == set()
    assert host.asked[0]["Accept-Encoding"] == "identity"


def test_an_interrupted_download_is_continued_by_the_next_one(host: FileHost, folder: Path) -> None:
    host.ways = [cut_after(0.6)]
    with pytest.raises(AddressUnavailable):
        fetch(host.published(), folder, ONE_TRY)
    kept = downloaded_bytes(host.published(), folder)
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


def test_a_host_that_hangs_up_without_a_response_is_retried(host: FileHost, folder: Path) -> None:
    host.ways = [lambda asked: asked.cut()]
    assert fetch(host.published(), folder) == CONTENT


def test_a_host_that_asks_to_wait_is_retried(host: FileHost, folder: Path) -> None:
    host.ways = [status(429, Retry_After="3600"), status(503)]
    assert fetch(host.published(), folder) == CONTENT


def test_a_host_that_fails_again_and_again_is_given_up(host: FileHost, folder: Path) -> None:
    host.ways = [status(503)] * 3
    with pytest.raises(AddressUnavailable, match=r"^127.0.0.1 answers 503 \(Service Unavailable\)$"):
        fetch(host.published(), folder)
    assert host.ways == []


def test_a_file_that_changed_meanwhile_is_downloaded_from_the_start(host: FileHost, folder: Path) -> None:
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


def test_a_part_is_not_resumed_without_validator_or_digest(host: FileHost, folder: Path) -> None:
    host.ways = [without_ranges(0.6)]
    assert fetch(host.published(size=None, sha256=None), folder) == CONTENT
    assert host.ranges == [None, None]


@pytest.mark.parametrize(("more", "sent"), [(b"", 0), (b"more than there is", len(CONTENT))])
def test_a_part_that_is_already_complete_is_used(host: FileHost, folder: Path, more: bytes, sent: int) -> None:
    host.ways = [cut_after(0.5)]
    with pytest.raises(AddressUnavailable):
        fetch(host.published(), folder, ONE_TRY)
    (folder / "weights.h5.part").write_bytes(CONTENT + more)
    host.sent = 0
    assert fetch(host.published(), folder) == CONTENT
    assert host.sent == sent


def test_a_part_from_another_address_is_not_resumed(host: FileHost, folder: Path) -> None:
    host.ways = [cut_after(0.6)]
    with pytest.raises(AddressUnavailable):
        fetch(host.published(), folder, ONE_TRY)
    with running_file_host(CONTENT) as mirror:
        assert fetch(mirror.published(), folder) == CONTENT
        assert mirror.ranges == [None]


def test_a_host_that_falls_silent_is_retried(host: FileHost, folder: Path) -> None:
    def silent(asked: Any) -> None:
        normal(asked, 0.5)
        time.sleep(1)

    host.ways = [silent]
    assert fetch(host.published(), folder) == CONTENT
    assert len(host.asked) == 2


def test_a_disk_that_fills_up_keeps_the_part_received(
    host: FileHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = ResumableDownload.append

    def until_full(partial: ResumableDownload, chunk: bytes) -> None:
        if partial.size > 1_000_000:
            monkeypatch.setattr(partial, "_stream", Full())
        append(partial, chunk)

    monkeypatch.setattr(ResumableDownload, "append", until_full)
    with pytest.raises(Unavailable, match="is full: free some space; the part received so far is kept"):
        fetch(host.published(), folder)
    monkeypatch.undo()
    assert downloaded_bytes(host.published(), folder) > 1_000_000
    assert fetch(host.published(), folder) == CONTENT
    assert host.ranges[1] is not None


class Full:
    def write(self, _chunk: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_only_one_process_downloads_a_file_at_a_time(host: FileHost, folder: Path) -> None:
    with (
        downloaded_file(host.published(), folder, lambda _size, _total: None, HASTY),
        pytest.raises(Conflict, match="another process is already fetching"),
    ):
        fetch(host.published(), folder)


def test_a_file_that_cannot_be_used_yet_is_not_downloaded_twice(host: FileHost, folder: Path) -> None:
    with (
        pytest.raises(TransientFailure),
        downloaded_file(host.published(), folder, lambda _size, _total: None, HASTY),
    ):
        raise TransientFailure("the storage does not answer")
    assert fetch(host.published(), folder) == CONTENT
    assert len(host.asked) == 1


def test_a_killed_process_leaves_the_part_received(host: FileHost, folder: Path) -> None:
    def hang(asked: Any) -> None:
        normal(asked, 0.5)
        time.sleep(5)

    host.ways = [hang]
    patient = DownloadPolicy(read_timeout=30)
    child = multiprocessing.get_context("spawn").Process(target=fetch, args=(host.published(), folder, patient))
    child.start()
    deadline = time.monotonic() + 20
    while downloaded_bytes(host.published(), folder) < 0.5 * len(CONTENT):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.kill()
    child.join()
    assert fetch(host.published(), folder) == CONTENT
    assert host.ranges[1] == f"bytes={len(CONTENT) // 2}-"
