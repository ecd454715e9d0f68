"""Services and their supervisor, which starts them in order, restarts those that die, and stops all of them."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM, Signals
from types import FrameType

import psutil

from infra.embedded.home import Home, ServiceState, ServiceStatus, StackState, StackStatus, own_status
from infra.embedded.launcher import Account, launch_command
from infra.embedded.processes import kill_session, session_members

_FIRST_PAUSE = 0.2
_MAX_PAUSE = 30.0
_STABLE_AFTER = 30.0  # seconds of running after which the pauses before restarts begin small again
_LOG_LIMIT = 5_000_000
# Together well under the ten seconds in which everything has to be down.
_STOP_TIMEOUT = 4.0
_FOUNDATION_PATIENCE = 2.0
_TICK = 0.5
_STARTING_TICK = 0.1

PrintLine = Callable[[str], None]


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
        self._pause = min(pause * 2, _MAX_PAUSE)
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


class Supervisor:
    """Runs ``services`` for a home that the caller holds locked; ``run`` belongs to the main thread."""

    def __init__(
        self, home: Home, services: Sequence[Service], address: str = "", print_line: PrintLine = print
    ) -> None:
        self._home = home
        self._processes = [ServiceProcess(service, home.logs / f"{service.name}.log") for service in services]
        self._address = address
        self._print_line = print_line
        self._state = StackState.STARTING
        self._stopping = False
        self._written: StackStatus | None = None
        self._wake = -1

    def run(self, when_ready: Callable[[], None] | None = None) -> int:
        """Start the services and keep them running until SIGINT, SIGTERM or SIGHUP, then stop them.

        ``when_ready`` is called in a thread of its own once all are ready. Returns the exit code: 0, or 1 when a
        service did not start.
        """
        with self._signal_handlers(), self._orphan_guard():
            try:
                for process in self._processes:
                    if not self._start(process):
                        return 0 if self._stopping else 1
                self._state = StackState.RUNNING
                self._write_status()
                if when_ready is not None:
                    threading.Thread(target=when_ready, daemon=True).start()
                while not self._stopping:
                    self._poll()
                return 0
            finally:
                self._stop()

    def _start(self, process: ServiceProcess) -> bool:
        process.spawn()
        # At once: the guard and the next start stop only processes that are written down.
        self._write_status()
        deadline = time.monotonic() + process.service.ready_within
        while not self._stopping:
            if process.state in (ServiceState.RUNNING, ServiceState.DONE):
                return True
            failed = process.state is ServiceState.FAILED
            if failed or time.monotonic() > deadline:
                problem = f"ended with {process.last_exit}" if failed else "was not ready in time"
                self._print(f"{process.service.name} {problem}; the end of {process.log}:\n{process.log_end()}")
                return False
            self._poll()
        return False

    def _poll(self) -> None:
        """Wait a moment, or until a child or a signal wakes us; then poll every service."""
        busy = any(process.state in (ServiceState.STARTING, ServiceState.RESTING) for process in self._processes)
        select.select([self._wake], [], [], _STARTING_TICK if busy else _TICK)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)
        for process in self._processes:
            if process.state is ServiceState.WAITING or self._stopping:
                continue
            line = process.poll()
            if line is not None:
                self._print(line)
        self._write_status()

    def _stop(self) -> None:
        self._state = StackState.STOPPING
        self._write_status()
        dependants = [process for process in reversed(self._processes) if not process.service.foundation]
        self._stop_together(dependants, _STOP_TIMEOUT)
        for process in reversed(self._processes):
            if process.service.foundation:
                self._stop_together([process], _FOUNDATION_PATIENCE)
        self._state = StackState.STOPPED
        self._write_status()

    def _stop_together(self, processes: Sequence[ServiceProcess], patience: float) -> None:
        """Send each of their stop signals in turn, then kill whatever is left."""
        for step in range(max((len(process.service.stop_signals) for process in processes), default=0)):
            for process in processes:
                if step < len(process.service.stop_signals):
                    process.signal(process.service.stop_signals[step])
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and not all(process.gone() for process in processes):
                time.sleep(0.02)
            # A later, harder signal needs less time.
            patience = 1.0
        for process in processes:
            process.end()

    def _write_status(self) -> None:
        status = own_status(self._address, self._state, [process.status() for process in self._processes])
        if status != self._written:
            self._home.write_status(status)
            self._written = status

    def _print(self, line: str) -> None:
        # The terminal may be gone; the stack need not go with it.
        with contextlib.suppress(OSError):
            self._print_line(line)

    @contextlib.contextmanager
    def _signal_handlers(self) -> Iterator[None]:
        def request_stop(_number: int, _frame: FrameType | None) -> None:
            self._stopping = True

        def child_ended(_number: int, _frame: FrameType | None) -> None:
            """Only wakes us."""

        self._wake, write_end = os.pipe()
        for end in (self._wake, write_end):
            os.set_blocking(end, False)
        handlers = {
            signal.SIGINT: request_stop,
            signal.SIGTERM: request_stop,
            signal.SIGHUP: request_stop,
            signal.SIGCHLD: child_ended,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        wakeup_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup_before)
            for number, previous in before.items():
                signal.signal(number, previous)
            os.close(self._wake)
            os.close(write_end)

    @contextlib.contextmanager
    def _orphan_guard(self) -> Iterator[None]:
        command = [sys.executable, "-m", "infra.embedded.orphan_guard", str(self._home.folder)]
        guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        assert guard.stdin is not None
        try:
            yield
        finally:
            guard.stdin.close()
            guard.wait()
