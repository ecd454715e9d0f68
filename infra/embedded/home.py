"""RAYON_HOME: the folder that holds the whole state of an embedded stack, including the status of its services."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from infra.embedded.processes import kill_session, same_process, session_members
from infra.private_files import read_or_create_secret, write_private
from pipeline.domain.errors import Conflict


class ServiceState(StrEnum):
    """The state of a service; ``RESTING`` is the pause before a restart."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    RESTING = "resting"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


class StackState(StrEnum):
    """The state of the stack as a whole."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The status of one service.

    ``pid`` is the leader of the session that holds all its child processes. ``started`` is when it started and
    ``since`` when its state last changed, both in seconds since the epoch. ``stop_signal`` is the number of the signal
    that stops it gracefully.
    """

    name: str
    state: ServiceState
    pid: int | None
    started: float | None
    since: float
    restarts: int
    last_exit: str | None
    stop_signal: int


@dataclass(frozen=True, slots=True)
class StackStatus:
    """The status of the stack of one home, as stored in ``stack.json``."""

    pid: int
    started: float
    address: str
    state: StackState
    services: tuple[ServiceStatus, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether the supervisor that wrote this status still runs."""
        return same_process(self.pid, self.started) is not None


def own_status(address: str, state: StackState, services: Sequence[ServiceStatus] = ()) -> StackStatus:
    """The status of the stack that the calling process supervises."""
    return StackStatus(os.getpid(), psutil.Process().create_time(), address, state, tuple(services))


def load_status(path: Path) -> StackStatus | None:
    """Read ``stack.json``; None when it is missing or invalid."""
    try:
        record = json.loads(path.read_text())
        services = tuple(
            ServiceStatus(**{**service, "state": ServiceState(service["state"])}) for service in record.pop("services")
        )
        return StackStatus(**{**record, "state": StackState(record["state"])}, services=services)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def stop_orphaned_services(status: StackStatus, timeout: float = 4.0) -> list[str]:
    """Stop the services of a supervisor that no longer runs, and their child processes; return the services' names.

    All get their stop signals at once, and SIGKILL if they still run after ``timeout`` seconds.
    """
    members: dict[str, list[psutil.Process]] = {}
    for service in status.services:
        if service.pid is not None and service.started is not None:
            processes = session_members(service.pid, service.started)
            if processes:
                members[service.name] = processes
            leader = same_process(service.pid, service.started)
            if leader is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    leader.send_signal(service.stop_signal)
    psutil.wait_procs([process for processes in members.values() for process in processes], timeout=timeout)
    for service in status.services:
        if service.name in members and service.pid is not None and service.started is not None:
            kill_session(service.pid, service.started)
    return list(members)


class Home:
    """``postgres/ redis/ objects/ logs/ run/`` in one folder; secrets are in files that only their owner can read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.postgres = self.folder / "postgres"
        self.redis = self.folder / "redis"
        self.objects = self.folder / "objects"
        self.logs = self.folder / "logs"
        self.run = self.folder / "run"

    def create(self) -> None:
        """Create the folders that are missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.objects, self.logs, self.run):
            folder.mkdir(exist_ok=True, mode=0o700)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the home, which only one supervisor can; the kernel releases it however the process ends.

        Raises Conflict, with the address of the running stack, when another supervisor holds it.
        """
        self.create()
        with (self.run / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                status = self.status()
                location = f" at {status.address}" if status is not None and status.address else ""
                raise Conflict(f"Rayon already runs in {self.folder}{location}. Stop it with: rayon down") from None
            yield

    @property
    def secret_key(self) -> str:
        """The key that signs sessions and upload URLs; created on first use."""
        self.create()
        return read_or_create_secret(self.run / "secret_key")

    def status(self) -> StackStatus | None:
        """The status that the last supervisor wrote; None when none ever ran here. ``alive``: whether it runs."""
        return load_status(self.run / "stack.json")

    def write_status(self, status: StackStatus) -> None:
        """Write ``stack.json`` for other processes to read."""
        write_private(self.run / "stack.json", json.dumps(asdict(status), indent=1))

    def environment(self) -> dict[str, str]:
        """The environment variables of the stack's services at its last start, for commands that use the same stack."""
        try:
            environment = json.loads((self.run / "environment.json").read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): str(value) for name, value in environment.items()}

    def write_environment(self, environment: Mapping[str, str]) -> None:
        """Store the services' environment variables, which hold passwords, for other commands."""
        write_private(self.run / "environment.json", json.dumps(dict(environment), indent=1))
