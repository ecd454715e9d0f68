"""The limits of a fetch, and the checks of its addresses: of URLs, and of the IP addresses they resolve to.

The networks are those of the IANA special-purpose registries (RFC 6890 and its successors).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from urllib.parse import quote, urlsplit

from pipeline.domain.errors import AddressUnavailable, ForbiddenAddress
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

IPAddress = IPv4Address | IPv6Address
Resolver = Callable[[str, int], list[IPAddress]]

MAX_URL_LENGTH = 4096
DEFAULT_PORTS = {"http": 80, "https": 443}
NAT64 = ip_network("64:ff9b::/96")
GLOBAL_UNICAST_IPV6 = ip_network("2000::/3")
# Tunnels and relays, which lead to hosts that their addresses do not show; the other networks are reserved, although
# ``is_global`` is true for them.
FORBIDDEN_NETWORKS = tuple(
    ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
SHARED_ADDRESS_SPACE = ip_network("100.64.0.0/10")  # RFC 6598


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Limits on one fetch. Times are in seconds.

    ``allow_private`` allows private and loopback targets, on any port; link-local, multicast and reserved targets are
    never allowed. If ``hosts`` is set, only these hosts and their subdomains may be contacted. ``total_timeout`` limits
    the whole fetch, including name look-ups and redirects. ``ca_file`` replaces the usual certificate authorities.
    """

    allow_private: bool = False
    hosts: frozenset[str] | None = None
    ports: frozenset[int] = frozenset({80, 443})
    max_bytes: int = 20_000_000
    max_pixels: int = 100_000_000
    max_redirects: int = 5
    connect_timeout: float = 5.0
    total_timeout: float = 20.0
    user_agent: str = "Rayon/1.0 (product categoriser; fetches the photos of listings)"
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a checked URL: ``path`` includes the query and is percent-encoded, ``host`` is ASCII."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The host, with the port unless it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in canonical form."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_target(url: str, policy: FetchPolicy) -> Target:
    """Parse a URL and check it by the policy, without resolving its host; ForbiddenAddress names the rule it breaks."""
    url = url.strip()
    if len(url) > MAX_URL_LENGTH or "\\" in url or any(not character.isprintable() for character in url):
        raise ForbiddenAddress(Reason(ReasonCode.ADDRESS_UNUSABLE))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ForbiddenAddress(Reason.of(ReasonCode.ADDRESS_UNREADABLE, error=str(error))) from error
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS:
        no_scheme = Reason(ReasonCode.ADDRESS_WITHOUT_SCHEME)
        raise ForbiddenAddress(Reason.of(ReasonCode.ADDRESS_SCHEME, scheme=scheme) if scheme else no_scheme)
    if parts.username is not None or parts.password is not None:
        raise ForbiddenAddress(Reason(ReasonCode.ADDRESS_WITH_PASSWORD))
    host = _ascii_host(parts.hostname or "")
    port = port or DEFAULT_PORTS[scheme]
    if policy.hosts is not None and not any(
        host == allowed or host.endswith(f".{allowed}") for allowed in policy.hosts
    ):
        raise ForbiddenAddress(Reason.of(ReasonCode.HOST_NOT_ALLOWED, host=host))
    if port not in policy.ports and not policy.allow_private:
        ports = [str(allowed_port) for allowed_port in sorted(policy.ports)]
        raise ForbiddenAddress(Reason.of(ReasonCode.PORT_NOT_ALLOWED, port=port, ports=ports))
    path = quote(parts.path or "/", safe="%/:=&~+!$,;'@()*") + ("?" if parts.query else "")
    return Target(scheme, host, port, path + quote(parts.query, safe="%/:=&?~+!$,;'@()*[]"))


def check_ip(address: IPAddress, policy: FetchPolicy) -> None:
    """Raise ForbiddenAddress unless the policy allows this IP address, or the IPv4 address embedded in it."""
    embedded = _embedded_ipv4(address)
    if embedded is not None:
        check_ip(embedded, policy)
        return
    if policy.allow_private and (address.is_loopback or _is_private(address)):
        return
    forbidden = (
        not address.is_global
        or address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or any(address in network for network in FORBIDDEN_NETWORKS)
        or (isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST_IPV6)
        or (isinstance(address, IPv4Address) and address.is_reserved)
    )
    if forbidden:
        raise ForbiddenAddress(Reason.of(ReasonCode.PRIVATE_ADDRESS, address=str(address)))


def resolve(host: str, port: int) -> list[IPAddress]:
    """The IP addresses of a name in the order of the system's resolver; AddressUnavailable when it does not resolve."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = Reason.of(ReasonCode.NAME_NOT_RESOLVED, host=host, error=str(error))
        raise AddressUnavailable(reason) from error
    return list(dict.fromkeys(ip_address(str(entry[4][0])) for entry in entries))


def resolve_allowed(target: Target, policy: FetchPolicy, resolver: Resolver, timeout: float) -> list[IPAddress]:
    """The IP addresses of the target's host, each checked: one forbidden address rejects the whole name.

    Resolved in a thread, because the system's resolver has no timeout. ``timeout`` is in seconds.
    """
    results: list[list[IPAddress] | Exception] = []

    def look_up() -> None:
        try:
            results.append(resolver(target.host, target.port))
        except Exception as error:  # noqa: BLE001 - raised below, in the caller's thread
            results.append(error)

    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    thread.join(max(timeout, 0.0))
    if not results:
        raise AddressUnavailable(Reason.of(ReasonCode.NAME_NOT_RESOLVED_IN_TIME, host=target.host))
    result = results[0]
    if isinstance(result, Exception):
        raise result
    if not result:
        raise AddressUnavailable(Reason.of(ReasonCode.NAME_WITHOUT_ADDRESS, host=target.host))
    for address in result:
        check_ip(address, policy)
    return result


def _embedded_ipv4(address: IPAddress) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    return address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None)


def _is_private(address: IPAddress) -> bool:
    special = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
    forbidden = any(address in network for network in FORBIDDEN_NETWORKS)
    return (address.is_private and not special and not forbidden) or address in SHARED_ADDRESS_SPACE


def _ascii_host(host: str) -> str:
    host = host.rstrip(".").lower()
    try:
        if ":" in host:
            return str(
                IPv6Address(host.replace("%", "zone"))
            )  # makes an address with a zone (an interface of this machine) invalid
        encoded = host.encode("idna").decode()
    except (UnicodeError, ValueError) as error:
        raise ForbiddenAddress(Reason.of(ReasonCode.ADDRESS_HOST_UNREADABLE, host=repr(host))) from error
    if not encoded or not all(character.isalnum() or character in ".-_" for character in encoded):
        raise ForbiddenAddress(Reason.of(ReasonCode.ADDRESS_HOST_UNREADABLE, host=repr(host)))
    return encoded
