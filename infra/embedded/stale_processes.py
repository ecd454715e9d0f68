"""Find and stop what an earlier run left behind, after a kill -9 or a crash."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from signal import Signals

import psutil

from infra.embedded.status import StackStatus, same_life


def running_in(folder: Path, program: str) -> list[psutil.Process]:
    """Processes named ``program`` whose working folder is ``folder``: servers change into the folder of their files."""
    place = str(folder.resolve())
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.info["name"] == program and process.cwd() == place:
                found.append(process)
    return found


def stop_all(processes: Iterable[psutil.Process], signals: Sequence[Signals], patience: float) -> None:
    """Send each signal in turn to those still alive, waiting ``patience`` seconds after each one."""
    alive = list(processes)
    for signal in signals:
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal)
        _, alive = psutil.wait_procs(alive, timeout=patience)
        if not alive:
            return


def session_members(leader: int, started: float) -> list[psutil.Process]:
    """The living processes of the session that ``leader``, started then (seconds since the epoch), opened.

    The leader itself may be gone: the kernel gives its number to nobody else while members live.
    """
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) != leader or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.pid == leader and same_life(leader, started) is None:
                return []
            members.append(process)
    return members


def kill_session(leader: int, started: float) -> None:
    """SIGKILL to every member, until none is left to fork another."""
    for _ in range(10):
        members = session_members(leader, started)
        if not members:
            return
        stop_all(members, (Signals.SIGKILL,), patience=1.0)


def clear_services(status: StackStatus, patience: float = 4.0) -> list[str]:
    """Stop the services of a supervisor that is gone, all at once, children included; returns their names."""
    members: dict[str, list[psutil.Process]] = {}
    for service in status.services:
        if service.pid is not None and service.started is not None:
            found = session_members(service.pid, service.started)
            if found:
                members[service.name] = found
            leader = same_life(service.pid, service.started)
            if leader is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    leader.send_signal(service.stop_signal)
    psutil.wait_procs([process for found in members.values() for process in found], timeout=patience)
    for service in status.services:
        if service.name in members and service.pid is not None and service.started is not None:
            kill_session(service.pid, service.started)
    return list(members)
