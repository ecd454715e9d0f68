"""Starts the services in order, keeps them alive, and stops all of them."""

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

from infra.embedded.home import Home
from infra.embedded.service import Service, ServiceLife
from infra.embedded.status import StackStatus, own_status

# Together well under the ten seconds in which everything has to be down.
_PATIENCE = 4.0
_FOUNDATION_PATIENCE = 2.0
_TICK = 0.5
_STARTING_TICK = 0.1

Say = Callable[[str], None]


class Supervisor:
    """Runs ``services`` for the home that the caller holds locked; ``run`` belongs to the main thread."""

    def __init__(self, home: Home, services: Sequence[Service], address: str = "", say: Say = print) -> None:
        self._home = home
        self._lives = [ServiceLife(service, home.logs / f"{service.name}.log") for service in services]
        self._address = address
        self._say = say
        self._state = "starting"
        self._stopping = False
        self._written: StackStatus | None = None
        self._wake = -1

    def run(self, when_ready: Callable[[], None] | None = None) -> int:
        """Start, keep alive until SIGINT, SIGTERM or SIGHUP, stop. Returns 0, or 1 when a service did not start.

        ``when_ready`` is called once all are ready, in a thread of its own, while the supervision goes on.
        """
        with self._signals(), self._guarded():
            try:
                for life in self._lives:
                    if not self._bring_up(life):
                        return 0 if self._stopping else 1
                self._state = "running"
                self._write()
                if when_ready is not None:
                    threading.Thread(target=when_ready, daemon=True).start()
                while not self._stopping:
                    self._look()
                return 0
            finally:
                self._stop()

    def _bring_up(self, life: ServiceLife) -> bool:
        life.spawn()
        # At once: the guard and the next start stop only what is written down.
        self._write()
        deadline = time.monotonic() + life.service.ready_within
        while not self._stopping:
            if life.state in ("running", "done"):
                return True
            if life.state == "failed" or time.monotonic() > deadline:
                what = f"ended with {life.last_exit}" if life.state == "failed" else "is not ready in time"
                self._tell(f"{life.service.name} {what}; the end of {life.log}:\n{life.log_end()}")
                return False
            self._look()
        return False

    def _look(self) -> None:
        """Wait a moment, or until a child or a signal wakes us; then see to every service."""
        busy = any(life.state in ("starting", "resting") for life in self._lives)
        select.select([self._wake], [], [], _STARTING_TICK if busy else _TICK)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)
        for life in self._lives:
            if life.state == "waiting" or self._stopping:
                continue
            line = life.look()
            if line is not None:
                self._tell(line)
        self._write()

    def _stop(self) -> None:
        self._state = "stopping"
        self._write()
        upper = [life for life in reversed(self._lives) if not life.service.foundation]
        self._stop_together(upper, _PATIENCE)
        for life in reversed(self._lives):
            if life.service.foundation:
                self._stop_together([life], _FOUNDATION_PATIENCE)
        self._state = "stopped"
        self._write()

    def _stop_together(self, lives: Sequence[ServiceLife], patience: float) -> None:
        """Each stop signal of theirs in turn, then the end of whatever is left."""
        for turn in range(max((len(life.service.stop_signals) for life in lives), default=0)):
            for life in lives:
                if turn < len(life.service.stop_signals):
                    life.signal(life.service.stop_signals[turn])
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and not all(life.gone() for life in lives):
                time.sleep(0.02)
            # A later, harder signal is for those that need it, and does not wait as long.
            patience = 1.0
        for life in lives:
            life.end()

    def _write(self) -> None:
        status = own_status(self._address, self._state, [life.status() for life in self._lives])
        if status != self._written:
            self._home.write_status(status)
            self._written = status

    def _tell(self, line: str) -> None:
        # The terminal may be gone; the stack need not go with it.
        with contextlib.suppress(OSError):
            self._say(line)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def ask(number: int, frame: FrameType | None) -> None:
            self._stopping = True

        def child_ended(number: int, frame: FrameType | None) -> None:
            """Only wakes us."""

        self._wake, write_end = os.pipe()
        for end in (self._wake, write_end):
            os.set_blocking(end, False)
        wanted = {signal.SIGINT: ask, signal.SIGTERM: ask, signal.SIGHUP: ask, signal.SIGCHLD: child_ended}
        before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
        woken_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._wake)
            os.close(write_end)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        command = [sys.executable, "-m", "infra.embedded.orphan_guard", str(self._home.folder)]
        guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        assert guard.stdin is not None
        try:
            yield
        finally:
            guard.stdin.close()
            guard.wait()
