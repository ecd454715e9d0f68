"""What the supervisor writes down about the stack, and what others read from it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

# The kernel's start times are exact, the boot time they are added to may be adjusted by the clock.
_SAME_START = 1.0


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service: ``state`` is waiting, starting, running, resting (before another try), done or stopped.

    ``pid`` leads a session of its own that holds all children; ``started`` is its start and ``since`` the last change
    of state, both in seconds since the epoch; ``stop_signal`` is the number of the signal that stops it politely.
    """

    name: str
    state: str
    pid: int | None
    started: float | None
    since: float
    restarts: int
    last_exit: str | None
    stop_signal: int


@dataclass(frozen=True, slots=True)
class StackStatus:
    """The stack of one home; ``state`` is starting, running, stopping or stopped."""

    pid: int
    started: float
    address: str
    state: str
    services: tuple[ServiceStatus, ...] = field(default=())

    @property
    def alive(self) -> bool:
        """Whether the supervisor that wrote this still lives."""
        return same_life(self.pid, self.started) is not None


def own_status(address: str, state: str, services: Sequence[ServiceStatus] = ()) -> StackStatus:
    """The status of the stack that this very process supervises."""
    return StackStatus(os.getpid(), psutil.Process().create_time(), address, state, tuple(services))


def same_life(pid: int | None, started: float | None) -> psutil.Process | None:
    """The living process with this id and start; None when it is gone, even if the id was given to another since."""
    if pid is None or started is None:
        return None
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > _SAME_START or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.Error:
        return None
    return process


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, atomically: a reader sees the old text or the new."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def write_status(path: Path, status: StackStatus) -> None:
    """Write ``stack.json``."""
    write_private(path, json.dumps(asdict(status), indent=1))


def load_status(path: Path) -> StackStatus | None:
    """Read ``stack.json``; None when there is none, or none that can be understood."""
    try:
        record = json.loads(path.read_text())
        services = tuple(ServiceStatus(**service) for service in record.pop("services"))
        return StackStatus(**record, services=services)
    except (OSError, ValueError, TypeError, KeyError):
        return None
