"""Posts to webhooks pass the same checks as fetches, follow no redirect, and end in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from infra.safe_fetch.addresses import FetchPolicy, IPAddress
from infra.safe_fetch.connection import UnusableResponse
from infra.safe_fetch.fetcher import SafeFetcher
from pipeline.domain.errors import AddressUnavailable, ForbiddenAddress
from tests.integration.infra.safe_fetch.photo_host import PhotoHost, running_photo_host

POLICY = FetchPolicy(
    allow_private=True, max_bytes=200_000, connect_timeout=2, total_timeout=10, user_agent="rayon-test"
)
LOOPBACK = ip_address("127.0.0.1")


@pytest.fixture(scope="module")
def host() -> Iterator[PhotoHost]:
    with running_photo_host(PhotoHost()) as host:
        yield host


def test_body_and_headers_arrive(host: PhotoHost) -> None:
    response = SafeFetcher(POLICY).post(host.url("/photo.jpg"), b'{"a": 1}', {"X-Signature": "s"})
    assert response.status == 200
    method, _, headers, body = host.seen[-1]
    assert (method, body) == ("POST", b'{"a": 1}')
    assert (headers["X-Signature"], headers["User-Agent"]) == ("s", "rayon-test")


@pytest.mark.parametrize("status", [400, 410, 429, 500])
def test_every_status_is_returned(host: PhotoHost, status: int) -> None:
    assert SafeFetcher(POLICY).post(host.url(f"/status/{status}"), b"", {}).status == status


def test_a_redirect_is_returned_not_followed(host: PhotoHost) -> None:
    before = len(host.seen)
    response = SafeFetcher(POLICY).post(host.url("/to//photo.jpg"), b"x", {})
    assert (response.status, response.headers["location"]) == (302, "/photo.jpg")
    assert len(host.seen) == before + 1


def test_a_private_address_is_refused_before_a_connection(host: PhotoHost) -> None:
    before = len(host.seen)
    strict = replace(POLICY, allow_private=False, ports=frozenset({host.port}))
    with pytest.raises(ForbiddenAddress, match=r"127\.0\.0\.1"):
        SafeFetcher(strict).post(host.url("/photo.jpg"), b"x", {})
    two_faced = SafeFetcher(strict, lambda _name, _port: [ip_address("8.8.8.8"), LOOPBACK])
    with pytest.raises(ForbiddenAddress, match=r"127\.0\.0\.1"):
        two_faced.post(host.url("/photo.jpg", "hooks.example"), b"x", {})
    assert len(host.seen) == before


def test_the_checked_address_is_the_one_connected_to(host: PhotoHost) -> None:
    names: list[str] = []

    def resolver(name: str, _port: int) -> list[IPAddress]:
        names.append(name)
        return [LOOPBACK]

    assert SafeFetcher(POLICY, resolver).post(host.url("/photo.jpg", "hooks.example"), b"x", {}).status == 200
    assert names == ["hooks.example"], "the name is looked up once"
    assert host.seen[-1][2]["Host"] == f"hooks.example:{host.port}"


def test_a_slow_receiver_is_cut_off(host: PhotoHost) -> None:
    with pytest.raises(AddressUnavailable, match="in time"):
        SafeFetcher(replace(POLICY, total_timeout=0.5)).post(host.url("/drip-headers"), b"x", {})


def test_an_endless_response_is_refused(host: PhotoHost) -> None:
    with pytest.raises(UnusableResponse, match="too large"):
        SafeFetcher(POLICY).post(host.url("/endless"), b"x", {})
