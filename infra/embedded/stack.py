"""The embedded stack: the services it has, and how to start and stop it."""

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
_WORKERS = {
    "worker-interactive": (("--role", "serve", "--queue", "interactive"), 0),
    "worker-serve": (("--role", "serve", "--queue", "categorise"), 0),
    "worker-train": (("--role", "train"), 10),
    "worker-collect": (("--role", "collect"), 5),
}


def answers(url: str) -> bool:
    """Whether a GET of ``url`` gives a 2xx within a second: a server that is not up yet leaves the request waiting."""
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - an address of our own
            return True
    except OSError:
        return False


def server_service(name: str, server: EmbeddedServer, env: Mapping[str, str]) -> Service:
    """A prepared server as a service; it keeps its port when it is restarted."""
    return Service(
        name=name,
        argv=tuple(server.argv()),
        env=env,
        ready=server.ready,
        foundation=True,
        before=server.prepare_files,
        account=server.account(),
        stop_signals=server.stop_signals,
        death_signal=server.death_signal,
    )


def services(home: Home, environ: Mapping[str, str], listener: ListeningPort) -> list[Service]:
    """All services in the order of their start. Prepares the servers' files, so the home must be locked."""
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
        Service("api", api, env, ready=lambda: answers(f"{address}/healthz"), listener=listener.descriptor),
        Service("relay", (*cli, "relay"), env),
        *(Service(name, (*cli, "worker", *words), env, nice=nice) for name, (words, nice) in _WORKERS.items()),
        Service("beat", (*cli, "beat"), env),
    ]


def _requested_port(environ: Mapping[str, str]) -> int:
    given = environ.get("PORT") or str(HTTP_PORT)
    if not given.isdigit() or not 0 < int(given) < 65536:
        raise InvalidInput(f"PORT is {given!r}: it must be a number from 1 to 65535.")
    return int(given)


def up(
    folder: Path,
    environ: Mapping[str, str],
    print_line: PrintLine = print,
    when_ready: Callable[[str], None] | None = None,
    compose: Callable[[Home, Mapping[str, str], ListeningPort], list[Service]] = services,
) -> int:
    """Run the stack of ``folder`` until a signal ends it; belongs to the main thread. Returns the exit code.

    ``when_ready`` gets the address, in a thread of its own, once everything answers. Raises Conflict when the stack of
    this folder is running already, InvalidInput and Unavailable when it cannot run; their texts are meant for users.
    """
    home, requested = Home(folder), _requested_port(environ)
    with home.locked():
        previous = home.status()
        if previous is not None and stop_orphaned_services(previous):
            print_line("stopped what an earlier run had left running")
        last = int(previous.address.rpartition(":")[2]) if previous is not None and previous.address else None
        # PORT when it is given, else the port of last time, so that bookmarks stay valid.
        listener = ListeningPort(requested, last) if "PORT" in environ else ListeningPort(last, requested)
        address = f"http://{LOOPBACK}:{listener.number}"
        home.write_status(own_status(address, StackState.STARTING))
        try:
            supervisor = Supervisor(home, compose(home, environ, listener), address, print_line)
            return supervisor.run(None if when_ready is None else lambda: when_ready(address))
        finally:
            listener.close()


def read_status(folder: Path) -> StackStatus | None:
    """The status of the stack of ``folder``; None when none ever ran there. ``alive`` says whether it still runs."""
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
            stop_orphaned_services(home.status() or status, patience=1.0)
            break
        time.sleep(0.05)
    print_line(f"stopped the stack of {home.folder}")
    return True
