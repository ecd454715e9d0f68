"""A real stack in a folder of its own, whose parts can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
from sqlalchemy import Engine, create_engine, text

from infra.embedded.home import Home
from infra.embedded.ports import free_port
from infra.embedded.stack import read_status

START_SECONDS = 120.0

T = TypeVar("T")


def until(condition: Callable[[], T | None], seconds: float, expectation: str) -> T:
    """Poll ``condition`` until it returns something true, and return that; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {expectation}"
        time.sleep(0.1)


class RunningStack:
    """A stack started by ``rayon up``, as a user starts it."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("RAYON_") and not k.endswith("_URL")},
            "RAYON_HOME": str(folder),
            "PORT": str(free_port()),
            "RAYON_FETCH_WEIGHTS": "none",  # no test asks the internet
            "RAYON_PHOTO_EXTRACTORS": "fisher",  # the first training is not what is tested here
            "RAYON_LEASE": "5",
            "RAYON_SENT_DEADLINE": "5",
            "RAYON_WORKER_TIMEOUT": "6",
            **(settings or {}),
        }
        self.log = (folder.parent / "up.log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workers.cli", "up", "--no-sample"],
            env=self.environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).resolve().parents[2],
        )
        until(self._ready, START_SECONDS, f"the stack is up; see {self.log.name}")
        status = read_status(folder)
        assert status is not None
        self.address = status.address
        self.engine: Engine = create_engine(Home(folder).environment()["DATABASE_URL"], pool_pre_ping=True)

    def _ready(self) -> bool:
        assert self.process.poll() is None, Path(self.log.name).read_text()
        status = read_status(self.folder)
        return status is not None and status.state == "running"

    @property
    def key(self) -> str:
        """The secret of the first admin key."""
        return until(self._read_key, 30, "the admin key is written")

    def _read_key(self) -> str:
        path = self.folder / "admin-key"
        return path.read_text().strip() if path.exists() else ""

    def pid(self, service: str) -> int:
        """The process id of a service, as the supervisor knows it."""
        status = read_status(self.folder)
        assert status is not None
        pids = {s.name: s.pid for s in status.services}
        pid = pids[service]
        assert pid is not None
        return pid

    def kill(self, service: str) -> None:
        """Kill (-9) the process of a service."""
        victim = until(lambda: self._living(service), 30, f"{service} lives")
        victim.kill()

    def kill_child(self, service: str) -> None:
        """Kill (-9) a child process of a worker."""
        until(lambda: self._kill_child(service), 30, "the worker has a child")

    def _kill_child(self, service: str) -> bool:
        parent = self._living(service)
        children = parent.children(recursive=True) if parent else []
        if children:
            children[-1].kill()
        return bool(children)

    def _living(self, service: str) -> psutil.Process | None:
        """The process of a service; None in the moment between its death and its next start."""
        try:
            return psutil.Process(self.pid(service))
        except (KeyError, AssertionError, psutil.NoSuchProcess):
            return None

    def value(self, statement: str) -> Any:
        """One value from the database."""
        with self.engine.connect() as connection:
            return connection.execute(text(statement)).scalar_one()

    def rayon(self, *words: str, seconds: float = 300) -> str:
        """Run a command against this stack; returns its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "workers.cli", *words],
            env=self.environment,
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, f"rayon {' '.join(words)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Any:
        """The JSON that a command prints."""
        return json.loads(self.rayon(*words, "--json"))

    def stop(self) -> None:
        """Stop the stack with Ctrl-C, and wait."""
        self.engine.dispose()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


@contextmanager
def running_stack(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[RunningStack]:
    """A stack that is stopped when the block ends."""
    stack = RunningStack(folder, settings)
    try:
        yield stack
    finally:
        stack.stop()
