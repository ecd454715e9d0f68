"""Starts and stops the embedded stack, and defines its services."""

from __future__ import annotations

import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from infra.embedded.home import Home, StackState, StackStatus, own_status, stop_orphaned_services
from infra.embedded.ports import LOOPBACK, ListeningPort
from infra.embedded.processes import same_process
from infra.embedded.servers import EmbeddedPostgres, EmbeddedRedis, EmbeddedServer
from infra.embedded.supervisor import PrintLine, Service, Supervisor
from pipeline.domain.errors import InvalidInput

HTTP_PORT = 8700
_STOP_TIMEOUT = 10.0
# The options and the niceness of each worker.
_WORKERS = {
    "worker-interactive": (("--role", "serve", "--queue", "interactive"), 0),
    "worker-serve": (("--role", "serve", "--queue", "categorise"), 0),
    "worker-train": (("--role", "train"), 10),
    "worker-collect": (("--role", "collect"), 5),
}


def answers(url: str) -> bool:
    """Whether a GET of ``url`` succeeds within a second: a request to a server that has not started yet hangs."""
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - a URL of this stack
            return True
    except OSError:
        return False


def server_service(name: str, server: EmbeddedServer, env: Mapping[str, str]) -> Service:
    """The service that runs a prepared server; the port stays the same when it is restarted."""
    return Service(
        name=name,
        argv=tuple(server.argv()),
        env=env,
        ready=server.ready,
        stopped_last=True,
        before_start=server.prepare_files,
        account=server.account(),
        stop_signals=server.stop_signals,
        parent_death_signal=server.parent_death_signal,
    )


def build_services(home: Home, environ: Mapping[str, str], listener: ListeningPort) -> list[Service]:
    """All services in start order. Also prepares the servers' files, so the home must be locked."""
    postgres, redis = EmbeddedPostgres(home.postgres), EmbeddedRedis(home.redis)
    postgres.prepare()
    redis.prepare()
    address = f"http://{LOOPBACK}:{listener.number}"
    stack_environment = {
        "RAYON_HOME": str(home.folder),
        "DATABASE_URL": postgres.url(),
        "BROKER_URL": redis.url(),
        "STORAGE_URL": f"file://{quote(str(home.objects))}",
        "PUBLIC_URL": address,
        "SECRET_KEY": home.secret_key,
    }
    home.write_environment(stack_environment)
    env = {**environ, **stack_environment, "PYTHONUNBUFFERED": "1"}
    cli = (sys.executable, "-m", "workers.cli")
    api = (sys.executable, "-m", "api", "--listener", str(listener.descriptor))
    return [
        server_service("postgres", postgres, env),
        server_service("redis", redis, env),
        Service("migrations", (*cli, "migrate"), env, once=True),
        Service("api", api, env, ready=lambda: answers(f"{address}/healthz"), inherited_socket=listener.descriptor),
        Service("relay", (*cli, "relay"), env),
        *(Service(name, (*cli, "worker", *options), env, nice=nice) for name, (options, nice) in _WORKERS.items()),
        Service("beat", (*cli, "beat"), env),
    ]


def _requested_port(environ: Mapping[str, str]) -> int:
    port = environ.get("PORT") or str(HTTP_PORT)
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise InvalidInput(f"PORT is {port!r}: it must be a number from 1 to 65535.")
    return int(port)


def up(
    folder: Path,
    environ: Mapping[str, str],
    print_line: PrintLine = print,
    when_ready: Callable[[str], None] | None = None,
    service_factory: Callable[[Home, Mapping[str, str], ListeningPort], list[Service]] = build_services,
) -> int:
    """Run the stack of ``folder`` until a signal ends it; must be called in the main thread. Returns the exit code.

    ``when_ready`` is called with the stack's URL, in a separate thread, once all services are ready. Raises Conflict
    when the stack of this folder already runs, InvalidInput and Unavailable when it cannot run; their messages are
    meant for users.
    """
    home, requested_port = Home(folder), _requested_port(environ)
    with home.locked():
        previous = home.status()
        if previous is not None and stop_orphaned_services(previous):
            print_line("stopped what an earlier run had left running")
        previous_port = int(previous.address.rpartition(":")[2]) if previous is not None and previous.address else None
        # PORT if it is set, else the previous port, so that bookmarks stay valid.
        ports = (requested_port, previous_port) if "PORT" in environ else (previous_port, requested_port)
        listener = ListeningPort(*ports)
        address = f"http://{LOOPBACK}:{listener.number}"
        home.write_status(own_status(address, StackState.STARTING))
        try:
            supervisor = Supervisor(home, service_factory(home, environ, listener), address, print_line)
            return supervisor.run(None if when_ready is None else lambda: when_ready(address))
        finally:
            listener.close()


def read_status(folder: Path) -> StackStatus | None:
    """The status of the stack of ``folder``; None when none ever ran there. See ``alive`` for whether it runs."""
    return Home(folder).status()


def down(folder: Path, print_line: PrintLine = print) -> bool:
    """Stop the stack of ``folder`` within ten seconds; False, with a message, when none runs there."""
    home = Home(folder)
    status = home.status()
    supervisor = None if status is None else same_process(status.pid, status.started)
    if status is None or supervisor is None:
        stopped = [] if status is None else stop_orphaned_services(status)
        print_line(
            f"nothing runs in {home.folder}" + (f"; stopped what was left: {', '.join(stopped)}" if stopped else "")
        )
        return False
    supervisor.terminate()
    deadline = time.monotonic() + _STOP_TIMEOUT
    while same_process(status.pid, status.started) is not None:
        if time.monotonic() > deadline:
            supervisor.kill()
            stop_orphaned_services(home.status() or status, timeout=1.0)
            break
        time.sleep(0.05)
    print_line(f"stopped the stack of {home.folder}")
    return True
