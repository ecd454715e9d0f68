"""Serve the API on a listening socket that the parent process opened: ``python -m api --listener DESCRIPTOR``.

Only the embedded stack needs this; elsewhere run ``uvicorn --factory api.app:create_app``. Uvicorn's own ``--fd``
treats every socket as a Unix socket and leaves Nagle's algorithm on, which delays small responses.
"""

from __future__ import annotations

import argparse
import socket
import sys

import uvicorn


def main() -> int:
    """Serve until stopped by a signal. Returns 0, or 1 if the application failed to start (Uvicorn logs why)."""
    parser = argparse.ArgumentParser(prog="api", description="Serve the API on an open socket.")
    parser.add_argument("--listener", type=int, required=True, help="file descriptor of the listening socket")
    server = uvicorn.Server(uvicorn.Config("api.app:create_app", factory=True))
    with socket.socket(fileno=parser.parse_args().listener) as listener:
        server.run(sockets=[listener])
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
