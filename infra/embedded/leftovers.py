"""Find and stop what an earlier run left behind, after a kill -9 or a crash."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from signal import Signals

import psutil


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
