"""Finds and stops processes: by working folder, by session, or by id and start time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from signal import Signals

import psutil

# Seconds. The kernel's start times are relative to the boot time, which changes when the clock is adjusted.
_START_TIME_TOLERANCE = 1.0
_MAX_KILL_ROUNDS = 10


def same_process(pid: int | None, started: float | None) -> psutil.Process | None:
    """The running process with this id and start time (seconds since the epoch).

    None when it has ended, even if its id has been reused for another process.
    """
    if pid is None or started is None:
        return None
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > _START_TIME_TOLERANCE or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.Error:
        return None
    return process


def running_in(folder: Path, program: str) -> list[psutil.Process]:
    """Processes named ``program`` whose working folder is ``folder``: servers change to the folder of their files."""
    resolved_folder = str(folder.resolve())
    matching_processes = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.info["name"] == program and process.cwd() == resolved_folder:
                matching_processes.append(process)
    return matching_processes


def stop_all(processes: Iterable[psutil.Process], signals: Sequence[Signals], timeout: float) -> None:
    """Send each signal in turn to the processes still alive, waiting up to ``timeout`` seconds after each."""
    alive = list(processes)
    for signal in signals:
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal)
        _, alive = psutil.wait_procs(alive, timeout=timeout)
        if not alive:
            return


def session_members(leader_pid: int, started: float) -> list[psutil.Process]:
    """The running processes of the session that process ``leader_pid``, started at ``started`` (Unix time), opened.

    The leader itself may have ended: the kernel does not reuse its id while other members run.
    """
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) != leader_pid or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.pid == leader_pid and same_process(leader_pid, started) is None:
                return []
            members.append(process)
    return members


def kill_session(leader_pid: int, started: float) -> None:
    """Send SIGKILL to all members, repeatedly because a member may fork before it is killed."""
    for _ in range(_MAX_KILL_ROUNDS):
        members = session_members(leader_pid, started)
        if not members:
            return
        stop_all(members, (Signals.SIGKILL,), timeout=1.0)
