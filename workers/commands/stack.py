"""Commands of the embedded stack: start it and stop it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGTERM
from typing import Annotated

import typer

from infra.embedded import stack
from infra.embedded.exec_wrapper import launch_command


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)


def home_of() -> Path:
    """RAYON_HOME, by default ``var`` in the working folder."""
    return Path(os.environ.get("RAYON_HOME") or "var").resolve()


def print_now(line: str) -> None:
    """Print a line and flush: the stack runs for a long time, and its output may go to a file."""
    print(line, flush=True)


def up(
    *,
    sample: Annotated[
        bool, typer.Option(help="load the sample catalogue and train a first model on the very first start")
    ] = True,
    sample_count: Annotated[int, typer.Option(hidden=True, min=50, help="listings of the sample catalogue")] = 400,
) -> None:
    """Start Postgres, Redis, api, relay, workers and beat in the foreground; Ctrl-C stops all of them."""
    home = home_of()

    def when_ready(address: str) -> None:
        # A separate process keeps the supervisor small and responsive; Ctrl-C ends both.
        command = [sys.executable, "-m", "workers.first_run", address, str(sample_count if sample else 0)]
        subprocess.run(launch_command(command, SIGTERM), env={**os.environ, "RAYON_HOME": str(home)}, check=False)

    print_now(f"starting Rayon in {home} …")
    sys.exit(stack.up(home, os.environ, print_now, when_ready))


def down() -> None:
    """Stop the stack of RAYON_HOME, within ten seconds."""
    stack.down(home_of(), print_now)
