"""Find and stop processes: by the folder they work in, by their session, or by id and start time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from signal import Signals

import psutil

# The kernel's start times are exact; the boot time they are added to may be adjusted by the clock.
_SAME_START = 1.0


def same_process(pid: int | None, started: float | None) -> psutil.Process | None:
    """The living process with this id and start time (seconds since the epoch).

    None when it has ended, even if its id was given to another process since.
    """
    if pid is None or started is None:
        return None
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > _SAME_START or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.Error:
        return None
    return process


def running_in(folder: Path, program: str) -> list[psutil.Process]:
    """Processes named ``program`` whose working folder is ``folder``: servers change into the folder of their files."""
    wanted = str(folder.resolve())
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.info["name"] == program and process.cwd() == wanted:
                found.append(process)
    return found


def stop_all(processes: Iterable[psutil.Process], signals: Sequence[Signals], patience: float) -> None:
    """Send each signal in turn to those still alive, waiting ``patience`` seconds after each."""
    alive = list(processes)
    for signal in signals:
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal)
        _, alive = psutil.wait_procs(alive, timeout=patience)
        if not alive:
            return


def session_members(leader: int, started: float) -> list[psutil.Process]:
    """The living processes of the session opened by ``leader``, which started at ``started`` (seconds since the epoch).

    The leader itself may have ended: the kernel does not reuse its id while members live.
    """
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) != leader or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.pid == leader and same_process(leader, started) is None:
                return []
            members.append(process)
    return members


def kill_session(leader: int, started: float) -> None:
    """Send SIGKILL to every member until none is left to fork another."""
    for _ in range(10):
        members = session_members(leader, started)
        if not members:
            return
        stop_all(members, (Signals.SIGKILL,), patience=1.0)
