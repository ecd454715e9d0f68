"""Safe fetching, rule by rule, from a real HTTP server on the loopback."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path
from shutil import which

import pytest

from infra.safe_fetch.addresses import FetchPolicy, IPAddress
from infra.safe_fetch.connection import HttpResponse
from infra.safe_fetch.fetcher import HostBusy, SafeFetcher, fetch_image, status_error
from pipeline.domain.errors import AddressUnavailable, BadImage, ForbiddenAddress, PermanentFailure
from tests.integration.infra.safe_fetch.photo_host import PHOTO, PhotoHost, running_photo_host

POLICY = FetchPolicy(
    allow_private=True,
    max_bytes=200_000,
    max_pixels=10_000,
    connect_timeout=2,
    total_timeout=10,
    user_agent="rayon-test",
)
HASTY = replace(POLICY, total_timeout=0.6)
LOOPBACK = ip_address("127.0.0.1")


@pytest.fixture(scope="module")
def host() -> Iterator[PhotoHost]:
    with running_photo_host(PhotoHost()) as host:
        yield host


def test_a_photo_is_fetched_and_its_type_judged_by_its_bytes(host: PhotoHost) -> None:
    fetched = fetch_image(host.url("/photo.jpg?a=1&b=%20"), POLICY)
    assert (fetched.content, fetched.content_type) == (PHOTO, "image/jpeg")
    assert fetched.final_url == host.url("/photo.jpg?a=1&b=%20")
    assert fetch_image(host.url("/chunked"), POLICY).content == PHOTO


def test_loopback_is_refused_without_the_setting(host: PhotoHost) -> None:
    before = len(host.seen)
    strict = replace(POLICY, allow_private=False, ports=frozenset({host.port}))
    with pytest.raises(ForbiddenAddress, match=r"127\.0\.0\.1"):
        fetch_image(host.url("/photo.jpg"), strict)
    assert len(host.seen) == before


def test_the_checked_address_is_the_one_connected_to(host: PhotoHost) -> None:
    asked: list[str] = []

    def resolver(name: str, _port: int) -> list[IPAddress]:
        asked.append(name)
        return [LOOPBACK] if len(asked) == 1 else [ip_address("203.0.113.9")]

    fetched = SafeFetcher(POLICY, resolver).fetch_image(host.url("/photo.jpg", "photos.example"))
    assert fetched.content == PHOTO
    assert asked == ["photos.example"], "the name is looked up once"
    assert host.seen[-1][2]["Host"] == f"photos.example:{host.port}"
    assert host.seen[-1][2]["Accept-Encoding"] == "identity"
    assert host.seen[-1][2]["User-Agent"] == "rayon-test"


def test_the_next_address_is_tried_when_one_is_closed(host: PhotoHost) -> None:
    fetcher = SafeFetcher(POLICY, lambda _name, _port: [ip_address("127.255.255.254"), LOOPBACK])
    with socket.socket() as taken:  # the server listens on 127.0.0.1 only: the first address refuses
        taken.bind(("127.255.255.254", host.port))
        assert fetcher.fetch_image(host.url("/photo.jpg", "photos.example")).content == PHOTO


def test_proxies_of_the_environment_are_ignored(host: PhotoHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch_image(host.url("/photo.jpg"), POLICY).content == PHOTO


def test_redirects_are_followed_up_to_the_limit(host: PhotoHost) -> None:
    fetched = fetch_image(host.url("/count/5"), POLICY)
    assert (fetched.content, fetched.final_url) == (PHOTO, host.url("/count/0"))
    with pytest.raises(PermanentFailure, match="more than 5 times"):
        fetch_image(host.url("/count/6"), POLICY)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.jpg",
        "http://me:pw@127.0.0.1/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
    ],
)
def test_a_redirect_is_checked_like_the_first_address(host: PhotoHost, location: str) -> None:
    with pytest.raises(ForbiddenAddress):
        fetch_image(host.url(f"/to/{location}"), POLICY)


def test_a_public_name_that_redirects_to_a_private_one(host: PhotoHost) -> None:
    """The first name passes as if it were public; the hop is refused before anybody connects to it."""
    private = {"inside.example": ip_address("192.168.7.7")}
    policy = replace(POLICY, hosts=frozenset({"public.example"}))
    fetcher = SafeFetcher(policy, lambda name, _port: [private.get(name, LOOPBACK)])
    with pytest.raises(ForbiddenAddress, match="allowed hosts"):
        fetcher.fetch_image(host.url("/to/http://inside.example/photo.jpg", "public.example"))


@pytest.mark.parametrize("path", ["/drip-body", "/drip-endless", "/drip-headers", "/drip-chunk-size"])
def test_a_slow_drip_is_cut_at_the_total_time(host: PhotoHost, path: str) -> None:
    start = time.monotonic()
    with pytest.raises(AddressUnavailable, match="in time"):
        fetch_image(host.url(path), HASTY)
    assert 0.5 < time.monotonic() - start < 8  # else it would be cut after the 10 s of POLICY


def test_the_total_time_is_for_all_redirects_together(host: PhotoHost) -> None:
    with pytest.raises(AddressUnavailable, match="in time"):
        fetch_image(host.url("/slow-redirect"), HASTY)


def test_a_host_that_accepts_and_never_responds_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(AddressUnavailable, match="in time"):
        fetch_image(f"http://127.0.0.1:{silent.getsockname()[1]}/", HASTY)


@pytest.mark.parametrize("path", ["/endless", "/endless-chunks", "/announced"])
def test_too_many_bytes_are_refused_announced_or_not(host: PhotoHost, path: str) -> None:
    with pytest.raises(BadImage, match="too large"):
        fetch_image(host.url(path), POLICY)


def test_a_body_shorter_than_announced_is_unavailable(host: PhotoHost) -> None:
    with pytest.raises(AddressUnavailable, match=r"middle|properly"):
        fetch_image(host.url("/short"), POLICY)


def test_a_compressed_answer_is_not_unpacked(host: PhotoHost) -> None:
    with pytest.raises(BadImage, match="compressed"):
        fetch_image(host.url("/bomb"), POLICY)


@pytest.mark.parametrize(
    ("path", "problem"), [("/html", "web page"), ("/empty", "0 bytes"), ("/big-picture", "too many pixels")]
)
def test_content_that_is_no_photo_is_refused(host: PhotoHost, path: str, problem: str) -> None:
    with pytest.raises(BadImage, match=problem):
        fetch_image(host.url(path), POLICY)


def test_fetch_accepts_other_content_and_names_its_type(host: PhotoHost) -> None:
    assert SafeFetcher(POLICY).fetch(host.url("/html")).content_type == "text/html"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 204, 304])
def test_a_lasting_status_is_a_permanent_failure(host: PhotoHost, status: int) -> None:
    with pytest.raises(PermanentFailure, match=f"answers {status}"):
        fetch_image(host.url(f"/status/{status}"), POLICY)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_a_transient_status_makes_the_host_busy(host: PhotoHost, status: int) -> None:
    with pytest.raises(AddressUnavailable, match=f"answers {status}") as raised:
        fetch_image(host.url(f"/status/{status}"), POLICY)
    assert isinstance(raised.value, HostBusy)
    assert raised.value.retry_after is None


def test_the_retry_after_of_a_host_is_read(host: PhotoHost) -> None:
    in_a_minute = formatdate(time.time() + 60, usegmt=True).replace(" ", "_")
    for text, low, high in [("17", 17, 17), (in_a_minute, 50, 61), ("9" * 40, 86_400, 86_400)]:
        with pytest.raises(HostBusy) as raised:
            fetch_image(host.url(f"/busy/{text}"), POLICY)
        assert raised.value.retry_after is not None
        assert low <= raised.value.retry_after <= high


def test_a_closed_port_and_nonsense_are_unavailable(host: PhotoHost) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(AddressUnavailable, match="connection"):
            fetch_image(f"http://127.0.0.1:{unheard.getsockname()[1]}/", POLICY)
    with pytest.raises(AddressUnavailable, match="properly"):
        fetch_image(host.url("/garbage"), POLICY)


@pytest.mark.skipif(which("openssl") is None, reason="no openssl on this machine to make a certificate")
def test_tls_checks_the_name_although_the_address_is_pinned(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext subjectAltName=DNS:shop.example"
    subprocess.run([*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    host = PhotoHost()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    host.socket = context.wrap_socket(host.socket, server_side=True)
    trusting = SafeFetcher(replace(POLICY, ca_file=certificate), lambda _name, _port: [LOOPBACK])
    with running_photo_host(host):
        assert trusting.fetch_image(f"https://shop.example:{host.port}/photo.jpg").content == PHOTO
        assert names == ["shop.example"]
        for fetcher, name in (
            (trusting, "other.example"),
            (SafeFetcher(POLICY, lambda _name, _port: [LOOPBACK]), "shop.example"),
        ):
            with pytest.raises(AddressUnavailable, match="certificate"):
                fetcher.fetch_image(f"https://{name}:{host.port}/photo.jpg")


def test_a_retry_after_date_is_read_by_the_clock_of_the_host() -> None:
    dates = {"retry-after": "Thu, 01 Jan 2015 00:02:00 GMT", "date": "Thu, 01 Jan 2015 00:00:30 GMT"}
    busy = status_error(HttpResponse(503, dates, b""))
    assert isinstance(busy, HostBusy)
    assert (busy.retry_after, busy.status) == (90.0, 503)
