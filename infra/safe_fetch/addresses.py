"""The limits of a fetch, and its rules on addresses: URLs, and the IP addresses behind their names.

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

MAX_URL = 4096
DEFAULT_PORTS = {"http": 80, "https": 443}
NAT64 = ip_network("64:ff9b::/96")
GLOBAL_UNICAST_6 = ip_network("2000::/3")
# Tunnels and relays lead to hosts that their address does not show; the others are reserved, though Python calls them
# global.
REFUSED_NETWORKS = tuple(
    ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
SHARED = ip_network("100.64.0.0/10")


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Limits on one fetch. Times are in seconds.

    ``allow_private`` allows private and loopback targets, on any port; link-local, multicast and reserved targets are
    never allowed. ``hosts``, when given, are the only ones (with their subdomains) that may be contacted.
    ``total_time`` bounds the whole fetch: name look-ups, redirects, and every byte. ``ca_file`` replaces the usual
    certificate authorities.
    """

    allow_private: bool = False
    hosts: frozenset[str] | None = None
    ports: frozenset[int] = frozenset({80, 443})
    max_bytes: int = 20_000_000
    max_pixels: int = 100_000_000
    max_redirects: int = 5
    connect_time: float = 5.0
    total_time: float = 20.0
    user_agent: str = "Rayon/1.0 (product categoriser; fetches the photos of listings)"
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL in parts: ``path`` (with the query) is percent-encoded, ``host`` is ASCII."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The host, with its port unless it is the default of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in canonical form."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_target(url: str, policy: FetchPolicy) -> Target:
    """Parse a URL by the policy's rules; ForbiddenAddress names the rule it breaks. No name is looked up yet."""
    url = url.strip()
    if len(url) > MAX_URL or "\\" in url or any(not c.isprintable() for c in url):
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
    if policy.hosts is not None and not any(host == h or host.endswith("." + h) for h in policy.hosts):
        raise ForbiddenAddress(Reason.of(ReasonCode.HOST_NOT_ALLOWED, host=host))
    if port not in policy.ports and not policy.allow_private:
        ports = [str(allowed) for allowed in sorted(policy.ports)]
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
        or any(address in network for network in REFUSED_NETWORKS)
        or (isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST_6)
        or (isinstance(address, IPv4Address) and address.is_reserved)
    )
    if forbidden:
        raise ForbiddenAddress(Reason.of(ReasonCode.PRIVATE_ADDRESS, address=str(address)))


def resolve(host: str, port: int) -> list[IPAddress]:
    """The IP addresses of a name by the system's resolver, in its order; AddressUnavailable when there are none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = Reason.of(ReasonCode.NAME_NOT_RESOLVED, host=host, error=str(error))
        raise AddressUnavailable(reason) from error
    return list(dict.fromkeys(ip_address(str(entry[4][0])) for entry in found))


def resolve_allowed(target: Target, policy: FetchPolicy, resolver: Resolver, timeout: float) -> list[IPAddress]:
    """The IP addresses of the target's host, each checked: one forbidden address rejects the whole name.

    Looked up in a thread, because the system's resolver takes no time limit. ``timeout`` is in seconds.
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
    if isinstance(results[0], Exception):
        raise results[0]
    if not results[0]:
        raise AddressUnavailable(Reason.of(ReasonCode.NAME_WITHOUT_ADDRESS, host=target.host))
    for address in results[0]:
        check_ip(address, policy)
    return results[0]


def _embedded_ipv4(address: IPAddress) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    return address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None)


def _is_private(address: IPAddress) -> bool:
    special = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
    refused = any(address in network for network in REFUSED_NETWORKS)
    return (address.is_private and not special and not refused) or address in SHARED


def _ascii_host(host: str) -> str:
    host = host.rstrip(".").lower()
    try:
        if ":" in host:
            return str(IPv6Address(host.replace("%", "zone")))  # a zone names a network of this machine: rejected
        encoded = host.encode("idna").decode()
    except (UnicodeError, ValueError) as error:
        raise ForbiddenAddress(Reason.of(ReasonCode.ADDRESS_HOST_UNREADABLE, host=repr(host))) from error
    if not encoded or not all(c.isalnum() or c in ".-_" for c in encoded):
        raise ForbiddenAddress(Reason.of(ReasonCode.ADDRESS_HOST_UNREADABLE, host=repr(host)))
    return encoded
