"""A check, within seconds, that a host can be reached at all, made before a long download begins."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from pipeline.domain.errors import AddressUnavailable

PORTS = {"http": 80, "https": 443}


class Unreachable(AddressUnavailable):
    """No connection to ``host`` can be made, for this reason."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host} cannot be reached ({reason}): the network is closed, or the host is down")


def check_reachable(address: str, seconds: float) -> None:
    """Connect to the host of ``address``, or to the environment's proxy for it; Unreachable if that takes too long.

    In a thread, because neither the resolver nor a host with many silent addresses takes a time limit.
    """
    proxy = select_proxy(address, get_environ_proxies(address, no_proxy=None))
    parts = urlsplit(proxy or address)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    if not port:  # proxies of other kinds, such as SOCKS, are left to the library
        return
    results: list[OSError | None] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), seconds).close()
            results.append(None)
        except (OSError, UnicodeError) as error:
            results.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=connect, name="reach", daemon=True)
    thread.start()
    thread.join(seconds)
    failure = results[0] if results else TimeoutError()
    if failure is not None:
        raise Unreachable(f"the proxy {host}" if proxy else host, connection_problem(failure, seconds))


def connection_problem(error: BaseException, seconds: float) -> str:
    """The reason for a failed connection in a few plain words, from the innermost error that has one."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        error = next((e for e in (inner, error.__cause__, error.__context__) if isinstance(e, BaseException)), error)
    if any(isinstance(e, socket.gaierror) for e in seen):
        return "its name does not resolve"
    if any(isinstance(e, TimeoutError) for e in seen):
        return f"no answer within {seconds:g} s"
    innermost = next((e for e in reversed(seen) if isinstance(e, OSError) and e.strerror), seen[-1])
    reason = innermost.strerror if isinstance(innermost, OSError) else None
    return (reason or str(innermost) or type(innermost).__name__).strip().splitlines()[0].rstrip(".")
