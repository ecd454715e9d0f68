"""Runs a small stack: ``python -m tests.integration.infra.embedded.stack_runner HOME [MODE…]``.

Real Postgres and Redis, and Python programs in place of the api and the workers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.embedded.home import Home
from infra.embedded.ports import ListeningPort
from infra.embedded.stack import answers, build_services, up
from infra.embedded.supervisor import Service
from pipeline.domain.errors import RayonError

WEB = """
import http.server, socket, sys
server = http.server.HTTPServer(("", 0), http.server.SimpleHTTPRequestHandler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.serve_forever()
"""
WORKER = """
import os, signal, sys, time
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
while True: time.sleep(60)
"""
SERVERS = ("postgres", "redis")


def small(home: Home, environ: Mapping[str, str], listener: ListeningPort) -> list[Service]:
    """The same servers as the real stack when asked for, a web server, and a worker with a child."""
    modes = environ["MODES"].split()
    env = dict(environ)
    chosen = (
        [service for service in build_services(home, environ, listener) if service.name in SERVERS]
        if "servers" in modes
        else []
    )
    chosen.append(Service("prelude", (sys.executable, "-c", "print('once')"), env, once=True))
    chosen.append(
        Service(
            "web",
            (sys.executable, "-c", WEB, str(listener.descriptor)),
            env,
            ready=lambda: answers(f"http://127.0.0.1:{listener.number}/"),
            inherited_socket=listener.descriptor,
        )
    )
    chosen.append(Service("worker", (sys.executable, "-c", WORKER, *modes), env, nice=10))
    if "broken" in modes:
        chosen.append(Service("broken", (sys.executable, "-c", "raise SystemExit('no luck')"), env, once=True))
    if "failing" in modes:
        chosen.append(Service("failing", (sys.executable, "-c", "raise SystemExit(3)"), env))
    return chosen


def main() -> int:
    """Exit code 0, or 1 with a plain message."""
    environ = {**os.environ, "MODES": " ".join(sys.argv[2:])}
    try:
        return up(
            Path(sys.argv[1]),
            environ,
            print_line=lambda line: print(line, flush=True),
            when_ready=lambda address: print(f"ready {address}", flush=True),
            service_factory=small,
        )
    except RayonError as error:
        print(error, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
