"""RAYON_HOME: the folder that holds the whole state of one embedded stack."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.embedded.server import secret_file
from infra.embedded.status import StackStatus, load_status, write_private, write_status
from pipeline.domain.errors import Conflict


class Home:
    """``postgres/ redis/ objects/ logs/ run/`` under one folder; secrets lie in files that only the owner reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.postgres = self.folder / "postgres"
        self.redis = self.folder / "redis"
        self.objects = self.folder / "objects"
        self.logs = self.folder / "logs"
        self.run = self.folder / "run"

    def create(self) -> None:
        """Make the folders that are missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.objects, self.logs, self.run):
            folder.mkdir(exist_ok=True, mode=0o700)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for one supervisor; the kernel lets go of it whatever way the holder ends.

        Raises Conflict, with the address, when another one holds it.
        """
        self.create()
        with (self.run / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                status = self.status()
                where = f" at {status.address}" if status is not None and status.address else ""
                message = f"Rayon runs already in {self.folder}{where}. Stop it with: rayon down"
                raise Conflict(message) from None
            yield

    @property
    def secret_key(self) -> str:
        """What signs sessions and addresses; made once."""
        self.create()
        return secret_file(self.run / "secret_key")

    def status(self) -> StackStatus | None:
        """What the last supervisor wrote; None when none ever ran here. ``alive`` says whether it still does."""
        return load_status(self.run / "stack.json")

    def write_status(self, status: StackStatus) -> None:
        """Tell others about the stack."""
        write_status(self.run / "stack.json", status)

    def environment(self) -> dict[str, str]:
        """The variables the services of the last start were given, so that another command reaches the same stack."""
        try:
            environment = json.loads((self.run / "environment.json").read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): str(setting) for name, setting in environment.items()}

    def write_environment(self, environment: Mapping[str, str]) -> None:
        """Keep the variables for other commands; they hold passwords."""
        write_private(self.run / "environment.json", json.dumps(dict(environment), indent=1))
