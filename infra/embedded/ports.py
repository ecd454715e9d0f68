"""Free TCP ports of the loopback address."""

from __future__ import annotations

import contextlib
import socket
from contextlib import closing

LOOPBACK = "127.0.0.1"
# Connections that wait while a server starts.
_QUEUE = 128


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of the loopback address now (a socket in TIME_WAIT does not matter)."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            # Without listen two binds with SO_REUSEADDR may both succeed.
            probe.listen(1)
        except OSError:
            return False
    return True


class Reservation:
    """A TCP port that the kernel gives to nobody else, for a server that opens its own socket: it can, others cannot.

    The port is bound and not listened on. The server sets SO_REUSEADDR, as servers do, and so shares the port; who asks
    the kernel for any port never gets it, neither before the server's first start nor between two.
    """

    def __init__(self, *preferred: int | None) -> None:
        while True:
            self.number = free_port(*preferred)
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # taken since we looked: look again
                self._socket.bind((LOOPBACK, self.number))
                self._hold()
                return
            self._socket.close()

    def _hold(self) -> None:
        """Being bound is enough."""

    def close(self) -> None:
        """Give it back; harmless when that was done."""
        self._socket.close()


class Listener(Reservation):
    """A TCP port that its holder listens on from now on; whoever serves it is given the open socket.

    Nobody else can take the port between our look and the server's start, nor while a server that died is started
    again: who connects then waits in the kernel's queue instead of being refused.
    """

    def _hold(self) -> None:
        self._socket.listen(_QUEUE)

    @property
    def descriptor(self) -> int:
        """The number of the open socket, to be passed to the server's process."""
        return self._socket.fileno()


def free_port(*preferred: int | None) -> int:
    """The first of ``preferred`` that is free, else one the kernel picks; it may be taken before it is used."""
    for port in preferred:
        if port is not None and 0 < port < 65536 and is_free(port):
            return port
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port
