"""The embedded stack: which services it has, and bringing it up and down."""

from __future__ import annotations

import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from infra.embedded.home import Home
from infra.embedded.ports import LOOPBACK, Listener
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.redis import EmbeddedRedis
from infra.embedded.server import EmbeddedServer
from infra.embedded.service import Service
from infra.embedded.stale_processes import clear_services
from infra.embedded.status import StackStatus, own_status, same_life
from infra.embedded.supervisor import Say, Supervisor
from pipeline.domain.errors import InvalidInput

HTTP_PORT = 8700
_DOWN_WITHIN = 10.0
_WORKERS = {
    "worker-interactive": (("--role", "serve", "--queue", "interactive"), 0),
    "worker-serve": (("--role", "serve", "--queue", "categorise"), 0),
    "worker-train": (("--role", "train"), 10),
    "worker-collect": (("--role", "collect"), 5),
}


def answers(url: str) -> bool:
    """Whether a GET of ``url`` gives a 2xx within a second: a server that is not there yet leaves it waiting."""
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - an address of our own
            return True
    except OSError:
        return False


def server_service(name: str, server: EmbeddedServer, env: Mapping[str, str]) -> Service:
    """A prepared server as a service; it keeps its port when it is started again."""
    return Service(
        name=name,
        argv=tuple(server.argv()),
        env=env,
        ready=server.ready,
        foundation=True,
        before=server.make_way,
        account=server.account(),
        stop_signals=server.stop_signals,
        death_signal=server.death_signal,
    )


def services(home: Home, environ: Mapping[str, str], listener: Listener) -> list[Service]:
    """All services in the order of their start. Prepares the servers' files, so the home must be locked."""
    postgres, redis = EmbeddedPostgres(home.postgres), EmbeddedRedis(home.redis)
    postgres.prepare()
    redis.prepare()
    address = f"http://{LOOPBACK}:{listener.number}"
    own = {
        "RAYON_HOME": str(home.folder),
        "DATABASE_URL": postgres.url(),
        "BROKER_URL": redis.url(),
        "STORAGE_URL": f"file://{quote(str(home.objects))}",
        "PUBLIC_URL": address,
        "SECRET_KEY": home.secret_key,
    }
    home.write_environment(own)
    env = {**environ, **own, "PYTHONUNBUFFERED": "1"}
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


def _wanted_port(environ: Mapping[str, str]) -> int:
    given = environ.get("PORT") or str(HTTP_PORT)
    if not given.isdigit() or not 0 < int(given) < 65536:
        raise InvalidInput(f"PORT is {given!r}: it must be a number from 1 to 65535.")
    return int(given)


def up(
    folder: Path,
    environ: Mapping[str, str],
    say: Say = print,
    when_ready: Callable[[str], None] | None = None,
    compose: Callable[[Home, Mapping[str, str], Listener], list[Service]] = services,
) -> int:
    """Run the stack of ``folder`` until a signal ends it; belongs to the main thread. Returns the exit code.

    ``when_ready`` gets the address, in a thread of its own, once everything answers. Raises Conflict when the stack of
    this folder runs already, InvalidInput and Unavailable when it cannot run; their text is fit for a user.
    """
    home, wanted = Home(folder), _wanted_port(environ)
    with home.locked():
        left = home.status()
        if left is not None and clear_services(left):
            say("stopped what an earlier run had left running")
        last = int(left.address.rpartition(":")[2]) if left is not None and left.address else None
        # PORT when it is given, else the port of last time, so that bookmarks stay true.
        listener = Listener(wanted, last) if "PORT" in environ else Listener(last, wanted)
        address = f"http://{LOOPBACK}:{listener.number}"
        home.write_status(own_status(address, "starting"))
        try:
            supervisor = Supervisor(home, compose(home, environ, listener), address, say)
            return supervisor.run(None if when_ready is None else lambda: when_ready(address))
        finally:
            listener.close()


def read_status(folder: Path) -> StackStatus | None:
    """What is known of the stack of ``folder``; None when none ever ran there. ``alive`` says whether it runs."""
    return Home(folder).status()


def down(folder: Path, say: Say = print) -> bool:
    """Stop the stack of ``folder`` within ten seconds; False, said plainly, when none runs there."""
    home = Home(folder)
    status = home.status()
    supervisor = None if status is None else same_life(status.pid, status.started)
    if status is None or supervisor is None:
        left = [] if status is None else clear_services(status)
        say(f"nothing runs in {home.folder}" + (f"; stopped what was left: {', '.join(left)}" if left else ""))
        return False
    supervisor.terminate()
    deadline = time.monotonic() + _DOWN_WITHIN
    while same_life(status.pid, status.started) is not None:
        if time.monotonic() > deadline:
            supervisor.kill()
            clear_services(home.status() or status, patience=1.0)
            break
        time.sleep(0.05)
    say(f"stopped the stack of {home.folder}")
    return True
