"""Finds and reserves free TCP ports of the loopback address."""

from __future__ import annotations

import contextlib
import socket
from contextlib import closing

LOOPBACK = "127.0.0.1"
_BACKLOG = 128  # connections that the kernel queues while a server starts


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of the loopback address now (a socket in TIME_WAIT does not matter)."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            # Without listen, two binds with SO_REUSEADDR may both succeed.
            probe.listen(1)
        except OSError:
            return False
    return True


class ReservedPort:
    """A TCP port that is bound but not listened on, for a server that opens its own socket.

    The server can bind it too because it sets SO_REUSEADDR, as servers do. The kernel never assigns it to a program
    that asks for any free port, neither before the server's first start nor between two starts.
    """

    def __init__(self, *preferred: int | None) -> None:
        while True:
            self.number = free_port(*preferred)
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # another program bound it after the check: try again
                self._socket.bind((LOOPBACK, self.number))
                self._after_bind()
                return
            self._socket.close()

    def _after_bind(self) -> None:
        """Do nothing: binding the port is enough to reserve it."""

    def close(self) -> None:
        """Release the port; does nothing when it is already released."""
        self._socket.close()


class ListeningPort(ReservedPort):
    """A TCP port that is listened on at once; the server that accepts its connections inherits the open socket.

    No other program can use the port before the server starts, nor while it is restarted after a crash: clients that
    connect then wait in the kernel's queue instead of being refused.
    """

    def _after_bind(self) -> None:
        self._socket.listen(_BACKLOG)

    @property
    def descriptor(self) -> int:
        """The file descriptor of the open socket, to be passed to the server's process."""
        return self._socket.fileno()


def free_port(*preferred: int | None) -> int:
    """The first of ``preferred`` that is free, else a port that the kernel picks; it is not reserved."""
    for port in preferred:
        if port is not None and 0 < port < 65536 and is_free(port):
            return port
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port
