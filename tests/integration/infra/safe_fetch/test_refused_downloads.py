"""Downloads that are refused, or cannot begin: in plain words, and nothing is kept."""

from __future__ import annotations

import hashlib
import shutil
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.domain.errors import AddressUnavailable, BadArtefact, InvalidInput, PermanentFailure, Unavailable
from pipeline.domain.published_file import PublishedFile
from tests.integration.infra.safe_fetch.download_fixtures import CONTENT, fetch, left
from tests.integration.infra.safe_fetch.file_host import FileHost, page, status, without_length


def test_redirects_are_followed_but_not_for_ever(host: FileHost, folder: Path) -> None:
    host.ways = [status(302, Location="/elsewhere"), status(301, Location="/there")]
    assert fetch(host.published(), folder) == CONTENT
    host.ways = [status(302, Location="/round")] * 20
    with pytest.raises(PermanentFailure, match="redirects more than 5 times"):
        fetch(host.published(), folder)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"sha256": "0" * 64}, "its SHA-256 is .*…, not 000000000000…; it was deleted"),
        ({"sha256": None, "md5": "0" * 32}, "its MD5 is .*…, not 000000000000…; it was deleted"),
        ({"size": 58_889_256}, "has 3,000,000 bytes, the known one has 58,889,256"),
    ],
)
def test_a_file_with_other_bytes_is_deleted(host: FileHost, folder: Path, known: dict[str, Any], said: str) -> None:
    with pytest.raises(BadArtefact, match=said):
        fetch(host.published(**known), folder)
    assert left(folder) == set()
    if "size" in known:
        assert host.sent <= len(CONTENT)


def test_a_response_longer_than_the_file_is_cut_off(host: FileHost, folder: Path) -> None:
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
def test_a_response_without_a_file_is_reported_at_once(host: FileHost, folder: Path, way: Any, said: str) -> None:
    host.ways = [way]
    with pytest.raises(PermanentFailure, match=said):
        fetch(host.published(), folder)
    assert len(host.asked) == 1


def test_a_closed_network_is_reported_at_once(host: FileHost, folder: Path) -> None:
    closed = socket.socket()  # nobody else is given its port, and nobody listens on it
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
    assert time.monotonic() - started < 9
    closed.close()


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


def test_a_full_disk_is_reported_before_the_download(
    host: FileHost, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1_000_000))
    with pytest.raises(Unavailable, match="is full: 3 MB are needed, 1 MB are free"):
        fetch(host.published(), folder)
