"""Starts the services in order, restarts those that die, and stops all of them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from infra.embedded.home import Home, ServiceState, StackState, StackStatus, own_status
from infra.embedded.service import Service, ServiceProcess

# Together well under the ten seconds in which everything has to be down.
_PATIENCE = 4.0
_FOUNDATION_PATIENCE = 2.0
_TICK = 0.5
_STARTING_TICK = 0.1

PrintLine = Callable[[str], None]


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
        self._stop_together(dependants, _PATIENCE)
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
