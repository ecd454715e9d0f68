"""A supervisor of services: starts them in order, restarts those whose process ends, and stops all of them."""

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

from infra.embedded.exec_wrapper import Account, launch_command
from infra.embedded.home import Home, ServiceState, ServiceStatus, StackState, StackStatus, own_status
from infra.embedded.processes import kill_session, session_members

_MIN_RESTART_DELAY = 0.2
_MAX_RESTART_DELAY = 30.0
_STABLE_AFTER = 30.0  # seconds of running after which the restart delay is reset
_MAX_LOG_BYTES = 5_000_000
# Seconds; their sum is well under the ten seconds in which the whole stack has to stop.
_STOP_TIMEOUT = 4.0
_STOPPED_LAST_TIMEOUT = 2.0
_POLL_SECONDS = 0.5
_STARTING_POLL_SECONDS = 0.1

PrintLine = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Service:
    """A service to run. ``argv`` and ``env`` are complete; without ``ready`` a running process counts as ready.

    ``once``: it runs once, and must end successfully before the next service starts. ``before_start`` is called before
    each start. ``stopped_last``: the other services need it, so it is stopped after them. ``inherited_socket`` is the
    file descriptor of an open socket that the process inherits. ``ready_timeout`` is in seconds.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready: Callable[[], bool] | None = None
    nice: int = 0
    once: bool = False
    stopped_last: bool = False
    before_start: Callable[[], None] | None = None
    inherited_socket: int | None = None
    account: Account = field(default_factory=Account)
    stop_signals: tuple[Signals, ...] = (SIGTERM,)
    parent_death_signal: Signals = SIGTERM
    ready_timeout: float = 60.0


def exit_reason(code: int) -> str:
    """Describe how a process ended, by its return code."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


class ServiceProcess:
    """The process of a service, restarted when it ends.

    The supervisor calls ``poll`` often, from the thread that called ``spawn``.
    """

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        self.state = ServiceState.WAITING
        self.restarts = 0
        self.last_exit: str | None = None
        self._since = time.time()
        self._process: subprocess.Popen[bytes] | None = None
        self._started: float | None = None
        self._restart_delay = _MIN_RESTART_DELAY
        self._restart_at = 0.0

    def spawn(self) -> None:
        """Start the process in a new session, with its output appended to the log."""
        service = self.service
        if service.before_start is not None:
            service.before_start()
        command = launch_command(service.argv, service.parent_death_signal, service.account, service.nice)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(service.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=() if service.inherited_socket is None else (service.inherited_socket,),
            )
        self._started = psutil.Process(self._process.pid).create_time()
        ready_at_once = service.ready is None and not service.once
        self._set_state(ServiceState.RUNNING if ready_at_once else ServiceState.STARTING)

    def poll(self) -> str | None:
        """Update the state, and restart an ended process after its delay; return a line for the terminal, if any."""
        self._limit_log()
        if self._process is not None and (code := self._process.poll()) is not None:
            return self._record_end(code)
        if self.state is ServiceState.STARTING and self.service.ready is not None and self.service.ready():
            self._set_state(ServiceState.RUNNING)
        elif self.state is ServiceState.RESTING and time.monotonic() >= self._restart_at:
            self.restarts += 1
            self.spawn()
        return None

    def _record_end(self, code: int) -> str | None:
        assert self._process is not None
        assert self._started is not None
        kill_session(self._process.pid, self._started)
        ran_for = time.time() - self._started
        self._process = self._started = None
        self.last_exit = exit_reason(code)
        if self.service.once:
            self._set_state(ServiceState.DONE if code == 0 else ServiceState.FAILED)
            return None
        delay = _MIN_RESTART_DELAY if ran_for > _STABLE_AFTER else self._restart_delay
        self._restart_delay = min(delay * 2, _MAX_RESTART_DELAY)
        self._restart_at = time.monotonic() + delay
        self._set_state(ServiceState.RESTING)
        next_start = "restarted" if delay < 1 else f"restarts in {delay:.0f} s; its log: {self.log}"
        return f"{self.service.name} died ({self.last_exit}); {next_start}"

    def signal(self, number: Signals) -> None:
        """Send a signal to the service's main process, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def gone(self) -> bool:
        """Whether the process and all its child processes have ended."""
        if self._process is None or self._started is None:
            return True
        return self._process.poll() is not None and not session_members(self._process.pid, self._started)

    def kill(self) -> None:
        """Kill its remaining processes and record how it ended; it is not restarted."""
        if self._process is not None and self._started is not None:
            kill_session(self._process.pid, self._started)
            self.last_exit = exit_reason(self._process.wait())
        self._process = self._started = None
        if self.state is not ServiceState.DONE:
            self._set_state(ServiceState.STOPPED)

    def status(self) -> ServiceStatus:
        """The entry of ``stack.json``."""
        return ServiceStatus(
            name=self.service.name,
            state=self.state,
            pid=None if self._process is None else self._process.pid,
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
        # The service opened the log for appending, so its next line is written at the start of the truncated file.
        if self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)


class Supervisor:
    """Runs ``services`` for a home that the caller has locked; ``run`` must be called in the main thread."""

    def __init__(
        self, home: Home, services: Sequence[Service], address: str = "", print_line: PrintLine = print
    ) -> None:
        self._home = home
        self._processes = [ServiceProcess(service, home.logs / f"{service.name}.log") for service in services]
        self._address = address
        self._print_line = print_line
        self._state = StackState.STARTING
        self._stopping = False
        self._written_status: StackStatus | None = None
        self._wakeup_read_end = -1

    def run(self, when_ready: Callable[[], None] | None = None) -> int:
        """Start the services and keep them running until SIGINT, SIGTERM or SIGHUP, then stop them.

        ``when_ready`` is called in a separate thread once all are ready. Returns the exit code: 0, or 1 when a
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
        # Before anything else: the orphan guard and the next start stop only processes recorded in the status.
        self._write_status()
        deadline = time.monotonic() + process.service.ready_timeout
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
        """Poll every service, after a short wait that a signal or the end of a child process cuts short."""
        busy = any(process.state in (ServiceState.STARTING, ServiceState.RESTING) for process in self._processes)
        select.select([self._wakeup_read_end], [], [], _STARTING_POLL_SECONDS if busy else _POLL_SECONDS)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wakeup_read_end, 4096)
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
        dependants = [process for process in reversed(self._processes) if not process.service.stopped_last]
        self._stop_together(dependants, _STOP_TIMEOUT)
        for process in reversed(self._processes):
            if process.service.stopped_last:
                self._stop_together([process], _STOPPED_LAST_TIMEOUT)
        self._state = StackState.STOPPED
        self._write_status()

    def _stop_together(self, processes: Sequence[ServiceProcess], timeout: float) -> None:
        """Send each of their stop signals in turn, then kill the processes that remain."""
        for turn in range(max((len(process.service.stop_signals) for process in processes), default=0)):
            for process in processes:
                if turn < len(process.service.stop_signals):
                    process.signal(process.service.stop_signals[turn])
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline and not all(process.gone() for process in processes):
                time.sleep(0.02)
            # The later, harder signals need less time.
            timeout = 1.0
        for process in processes:
            process.kill()

    def _write_status(self) -> None:
        status = own_status(self._address, self._state, [process.status() for process in self._processes])
        if status != self._written_status:
            self._home.write_status(status)
            self._written_status = status

    def _print(self, line: str) -> None:
        # The terminal may have been closed, which must not stop the stack.
        with contextlib.suppress(OSError):
            self._print_line(line)

    @contextlib.contextmanager
    def _signal_handlers(self) -> Iterator[None]:
        def request_stop(_number: int, _frame: FrameType | None) -> None:
            self._stopping = True

        def child_ended(_number: int, _frame: FrameType | None) -> None:
            """Do nothing: the signal itself wakes ``_poll``."""

        self._wakeup_read_end, write_end = os.pipe()
        for descriptor in (self._wakeup_read_end, write_end):
            os.set_blocking(descriptor, False)
        handlers = {
            signal.SIGINT: request_stop,
            signal.SIGTERM: request_stop,
            signal.SIGHUP: request_stop,
            signal.SIGCHLD: child_ended,
        }
        previous_handlers = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        previous_wakeup = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous_wakeup)
            for number, previous_handler in previous_handlers.items():
                signal.signal(number, previous_handler)
            os.close(self._wakeup_read_end)
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
