"""One service of the stack: how to run it, and the process that runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM, Signals

import psutil

from infra.embedded.home import ServiceState, ServiceStatus
from infra.embedded.launcher import Account, launch_command
from infra.embedded.processes import kill_session, session_members

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_STABLE_AFTER = 30.0  # seconds of running after which the pauses before restarts begin small again
_LOG_LIMIT = 5_000_000


@dataclass(frozen=True, slots=True)
class Service:
    """A service to run. ``argv`` and ``env`` are complete; without ``ready`` a running process counts as ready.

    ``once``: it must finish successfully before the next service starts. ``before`` is called before each start.
    ``foundation``: the others need it, so it is stopped after them. ``listener`` is the number of an open socket that
    the process inherits. ``ready_within`` is in seconds.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready: Callable[[], bool] | None = None
    nice: int = 0
    once: bool = False
    foundation: bool = False
    before: Callable[[], None] | None = None
    listener: int | None = None
    account: Account = field(default_factory=Account)
    stop_signals: tuple[Signals, ...] = (SIGTERM,)
    death_signal: Signals = SIGTERM
    ready_within: float = 60.0


def exit_reason(code: int) -> str:
    """The end of a process in words, from its return code."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


class ServiceProcess:
    """The process of a service, restarted when it dies.

    The supervisor calls ``poll`` often, from the thread that called ``spawn``.
    """

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        self.state = ServiceState.WAITING
        self.restarts = 0
        self.last_exit: str | None = None
        self._since = time.time()
        self._child: subprocess.Popen[bytes] | None = None
        self._started: float | None = None
        self._pause = _FIRST_PAUSE
        self._restart_at = 0.0

    def spawn(self) -> None:
        """Start the process in a session of its own, its output appended to its log."""
        service = self.service
        if service.before is not None:
            service.before()
        command = launch_command(service.argv, service.death_signal, service.account, service.nice)
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                env=dict(service.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=() if service.listener is None else (service.listener,),
            )
        self._started = psutil.Process(self._child.pid).create_time()
        ready_at_once = service.ready is None and not service.once
        self._set_state(ServiceState.RUNNING if ready_at_once else ServiceState.STARTING)

    def poll(self) -> str | None:
        """Update the state, restart a dead process when its pause is over; return a line for the terminal, if any."""
        self._limit_log()
        if self._child is not None and (code := self._child.poll()) is not None:
            return self._ended(code)
        if self.state is ServiceState.STARTING and self.service.ready is not None and self.service.ready():
            self._set_state(ServiceState.RUNNING)
        elif self.state is ServiceState.RESTING and time.monotonic() >= self._restart_at:
            self.restarts += 1
            self.spawn()
        return None

    def _ended(self, code: int) -> str | None:
        assert self._child is not None
        assert self._started is not None
        kill_session(self._child.pid, self._started)
        ran_for = time.time() - self._started
        self._child = self._started = None
        self.last_exit = exit_reason(code)
        if self.service.once:
            self._set_state(ServiceState.DONE if code == 0 else ServiceState.FAILED)
            return None
        pause = _FIRST_PAUSE if ran_for > _STABLE_AFTER else self._pause
        self._pause = min(pause * 2, _LONGEST_PAUSE)
        self._restart_at = time.monotonic() + pause
        self._set_state(ServiceState.RESTING)
        restart = "restarted" if pause < 1 else f"restarts in {pause:.0f} s; its log: {self.log}"
        return f"{self.service.name} died ({self.last_exit}); {restart}"

    def signal(self, number: Signals) -> None:
        """Send a signal to the service's first process, if it lives."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)

    def gone(self) -> bool:
        """Whether neither the process nor any of its children lives."""
        if self._child is None or self._started is None:
            return True
        return self._child.poll() is not None and not session_members(self._child.pid, self._started)

    def end(self) -> None:
        """Kill what is left of it and record how it ended; it is not restarted."""
        if self._child is not None and self._started is not None:
            kill_session(self._child.pid, self._started)
            self.last_exit = exit_reason(self._child.wait())
        self._child = self._started = None
        if self.state is not ServiceState.DONE:
            self._set_state(ServiceState.STOPPED)

    def status(self) -> ServiceStatus:
        """The entry of ``stack.json``."""
        return ServiceStatus(
            name=self.service.name,
            state=self.state,
            pid=None if self._child is None else self._child.pid,
            started=self._started,
            since=self._since,
            restarts=self.restarts,
            last_exit=self.last_exit,
            stop_signal=int(self.service.stop_signals[0]),
        )

    def log_end(self, lines: int = 15) -> str:
        """The last lines of the log."""
        text = self.log.read_bytes()[-20_000:].decode(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _set_state(self, state: ServiceState) -> None:
        self.state, self._since = state, time.time()

    def _limit_log(self) -> None:
        # The service appends, so that after the cut its next line goes to the start of the file.
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)
