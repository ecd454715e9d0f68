"""One service of the stack: how it is run, and its life so far."""

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

from infra.embedded.parent_death import leashed
from infra.embedded.stale_processes import kill_session, session_members
from infra.embedded.status import ServiceStatus
from infra.embedded.unprivileged_account import Account

_FIRST_REST = 0.2
_LONGEST_REST = 30.0
_LIVED_A_WHILE = 30.0
_LOG_LIMIT = 5_000_000


@dataclass(frozen=True, slots=True)
class Service:
    """What to run. ``argv`` and ``env`` are complete; ``ready`` None means that running is enough.

    ``once``: it runs to its end, which must be good, before the next service starts. ``before`` is called before each
    start. ``foundation``: the others need it, so it stops after them. ``listener`` is an open socket it is given, under
    the same number. ``ready_within`` is in seconds.
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


def why(code: int) -> str:
    """The end of a process in words, from its return code."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


class ServiceLife:
    """A service being kept alive; the supervisor calls ``look`` often, from the thread that called ``spawn``."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        self.state = "waiting"
        self.restarts = 0
        self.last_exit: str | None = None
        self._since = time.time()
        self._child: subprocess.Popen[bytes] | None = None
        self._started: float | None = None
        self._rest = _FIRST_REST
        self._again_at = 0.0

    def spawn(self) -> None:
        """Start it, in a session of its own, its output appended to its log."""
        if self.service.before is not None:
            self.service.before()
        command = leashed(self.service.argv, self.service.death_signal, self.service.account, self.service.nice)
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                env=dict(self.service.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=() if self.service.listener is None else (self.service.listener,),
            )
        self._started = psutil.Process(self._child.pid).create_time()
        self._become("running" if self.service.ready is None and not self.service.once else "starting")

    def look(self) -> str | None:
        """See how it is, start it again when it is time; a line for the terminal when there is something to say."""
        self._bound_log()
        if self._child is not None and (code := self._child.poll()) is not None:
            return self._ended(code)
        if self.state == "starting" and self.service.ready is not None and self.service.ready():
            self._become("running")
        elif self.state == "resting" and time.monotonic() >= self._again_at:
            self.restarts += 1
            self.spawn()
        return None

    def _ended(self, code: int) -> str | None:
        assert self._child is not None
        assert self._started is not None
        kill_session(self._child.pid, self._started)
        lived = time.time() - self._started
        self._child = self._started = None
        self.last_exit = why(code)
        if self.service.once:
            self._become("done" if code == 0 else "failed")
            return None
        self._rest = _FIRST_REST if lived > _LIVED_A_WHILE else self._rest
        rest, self._rest = self._rest, min(self._rest * 2, _LONGEST_REST)
        self._again_at = time.monotonic() + rest
        self._become("resting")
        again = "started again" if rest < 1 else f"starts again in {rest:.0f} s; its log: {self.log}"
        return f"{self.service.name} died ({self.last_exit}); {again}"

    def signal(self, number: Signals) -> None:
        """Send a signal to its first process, if it lives."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)

    def gone(self) -> bool:
        """Whether neither it nor any of its children lives."""
        if self._child is None or self._started is None:
            return True
        return self._child.poll() is not None and not session_members(self._child.pid, self._started)

    def end(self) -> None:
        """Kill what is left of it and note how it ended; it is not started again."""
        if self._child is not None and self._started is not None:
            kill_session(self._child.pid, self._started)
            self.last_exit = why(self._child.wait())
        self._child = self._started = None
        if self.state != "done":
            self._become("stopped")

    def status(self) -> ServiceStatus:
        """For ``stack.json``."""
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
        """The last lines it wrote."""
        text = self.log.read_bytes()[-20_000:].decode(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _become(self, state: str) -> None:
        self.state, self._since = state, time.time()

    def _bound_log(self) -> None:
        # The service appends, so that after the cut its next line goes to the start of the file.
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)
