"""The limits of a fetch: hosts, ports, bytes, pixels, time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
