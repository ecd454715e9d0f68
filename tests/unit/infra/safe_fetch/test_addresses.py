"""The rules on addresses, without a network: URLs, IP addresses, names with an injected resolver."""

from __future__ import annotations

import threading
from ipaddress import ip_address

import pytest

from infra.safe_fetch.addresses import FetchPolicy, IPAddress, check_ip, parse_target, resolve, resolve_allowed
from infra.safe_fetch.fetcher import SafeFetcher
from pipeline.domain.errors import AddressUnavailable, ForbiddenAddress

STRICT, OPEN = FetchPolicy(), FetchPolicy(allow_private=True)

PRIVATE = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.9.9.9", "100.64.0.1", "::1", "fd00::1"]
NEVER = [
    "0.0.0.0",
    "169.254.169.254",
    "224.0.0.1",
    "240.0.0.1",
    "192.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
    "::",
    "fe80::1",
    "ff02::1",
    "fec0::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "64:ff9b:1::1",
    "::ffff:169.254.169.254",
]
EMBEDDED_PRIVATE = ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::c0a8:101"]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", PRIVATE + NEVER + EMBEDDED_PRIVATE + ["198.18.0.1", "192.0.2.1", "2001:db8::1"])
def test_private_and_special_addresses_are_refused(text: str) -> None:
    with pytest.raises(ForbiddenAddress, match="private or special"):
        check_ip(ip_address(text), STRICT)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_pass(text: str) -> None:
    check_ip(ip_address(text), STRICT)


@pytest.mark.parametrize("text", PRIVATE + EMBEDDED_PRIVATE + PUBLIC)
def test_the_setting_lets_private_ones_through(text: str) -> None:
    check_ip(ip_address(text), OPEN)


@pytest.mark.parametrize("text", NEVER)
def test_the_setting_lets_special_ones_no_further(text: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_ip(ip_address(text), OPEN)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://h/a.jpg", "not ftp"),
        ("file:///etc/passwd", "not file"),
        ("a.jpg", "without a scheme"),
        ("//h/a.jpg", "without a scheme"),
        ("http://user@h/", "user name"),
        ("http://user:pw@h/", "user name"),
        ("http://:@h/", "user name"),
        ("http://", "no readable host"),
        ("http:///a", "no readable host"),
        ("http://h:99999/", "not readable"),
        ("http://h:22/", "port 22"),
        ("https://h:8080/", "port 8080"),
        ("http://a b/", "no readable host"),
        ("http://h\\@evil/", "backslashes"),
        ("http://h/a\r\nX: y", "control"),
        ("http://h/\x00", "control"),
        ("http://[fe80::1%25eth0]/", "not readable|no readable"),
        ("http://" + "a" * 70 + ".com/", "no readable host"),
        ("http://h/" + "a" * 5000, "too long"),
    ],
)
def test_a_url_that_breaks_a_rule(url: str, problem: str) -> None:
    with pytest.raises(ForbiddenAddress, match=problem):
        parse_target(url, STRICT)


def test_a_url_is_put_in_canonical_form() -> None:
    assert parse_target(" HTTP://Shop.Example.:80/é a.jpg?x=1 2#f ", STRICT).url == (
        "http://shop.example/%C3%A9%20a.jpg?x=1%202"
    )
    assert parse_target("https://café.example", STRICT).url == "https://xn--caf-dma.example/"
    assert parse_target("http://[2606:4700::1111]/a%20b", STRICT).url == "http://[2606:4700::1111]/a%20b"


def test_only_the_allowed_hosts() -> None:
    policy = FetchPolicy(hosts=frozenset({"shop.example"}))
    parse_target("http://shop.example/", policy)
    parse_target("http://img.shop.example./", policy)
    for url in ("http://notshop.example/", "http://shop.example.evil/", "http://example/"):
        with pytest.raises(ForbiddenAddress, match="allowed hosts"):
            parse_target(url, policy)


def test_one_private_address_refuses_the_name() -> None:
    target = parse_target("http://two-faced.example/", STRICT)
    with pytest.raises(ForbiddenAddress, match=r"10\.0\.0\.1"):
        resolve_allowed(target, STRICT, lambda _host, _port: [ip_address("8.8.8.8"), ip_address("10.0.0.1")], 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_every_spelling_of_loopback_is_refused(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        SafeFetcher(STRICT).fetch(f"http://{host}/")


def test_a_name_without_address_is_unavailable() -> None:
    target = parse_target("http://nothing.invalid/", STRICT)
    with pytest.raises(AddressUnavailable, match="does not resolve"):
        resolve_allowed(target, STRICT, resolve, 30)
    with pytest.raises(AddressUnavailable, match="no address"):
        resolve_allowed(target, STRICT, lambda _host, _port: [], 1)


def test_a_resolver_that_hangs_is_left_behind() -> None:
    release = threading.Event()

    def hang(_host: str, _port: int) -> list[IPAddress]:
        release.wait(20)
        return []

    with pytest.raises(AddressUnavailable, match="in time"):
        resolve_allowed(parse_target("http://slow.example/", STRICT), STRICT, hang, 0.05)
    release.set()
