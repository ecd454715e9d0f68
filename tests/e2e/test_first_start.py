"""The first start as a user sees it: ``rayon up`` in an empty folder, until a fresh listing is decided."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.embedded.ports import free_port
from workers.first_run import FRENCH_SHARE

ROOT = Path(__file__).resolve().parents[2]
COUNT = 60


class Terminal:
    """A running ``rayon up`` and the lines it has printed."""

    def __init__(self, home: Path) -> None:
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("RAYON_") and not k.endswith("_URL")},
            "RAYON_HOME": str(home),
            "PORT": str(free_port()),
            "RAYON_FETCH_WEIGHTS": "none",  # no test asks the internet
        }
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workers.cli", "up", "--sample-count", str(COUNT)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def until(self, pattern: str, seconds: float) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern, self.text)) is None:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, f"no {pattern!r} within {seconds:g} s:\n{self.text}"
            time.sleep(0.1)
        return found

    def rayon(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "workers.cli", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    started = Terminal(tmp_path / "home")
    yield started
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGINT)
        try:
            started.process.wait(15)
        except subprocess.TimeoutExpired:
            started.process.kill()


@pytest.mark.timeout(280)
@pytest.mark.xdist_group("stack")
def test_first_start_ends_with_categorised_listings_and_the_next_one_just_runs(
    terminal: Terminal, tmp_path: Path
) -> None:
    address = terminal.until(r"open (http://\S+) and log in with the admin key in \S+admin-key", 200)[1]
    assert "not complete" not in terminal.text, terminal.text
    assert len(re.findall(r"(?m)^  .+ -> .+ \(\d+%\) -> (assigned|needs_review)$", terminal.text)) == 6

    key_file = tmp_path / "home" / "admin-key"
    assert key_file.stat().st_mode & 0o777 == 0o600
    key = key_file.read_text().strip()
    assert terminal.text.count(key) == 1

    answer = httpx.post(
        f"{address}/v1/listings",
        json={"source": "sample", "external_id": "mine-1", "name": "Running shoes, light mesh, size 42"},
        headers={"Authorization": f"Bearer {key}", "Prefer": "wait=20"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["decision"]["status"] in ("assigned", "needs_review")

    french = httpx.get(
        f"{address}/v1/listings", params={"source": "sample-fr"}, headers={"Authorization": f"Bearer {key}"}
    ).json()["items"]
    assert len(french) == round(COUNT * FRENCH_SHARE)
    assert {listing["status"] for listing in french} <= {"assigned", "needs_review"}

    status = terminal.rayon("status")
    assert f"is running at {address}" in status.stdout, status.stdout + status.stderr
    assert "model of sample: version 1" in status.stdout
    doctor = terminal.rayon("doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr

    second = terminal.rayon("up")
    assert second.returncode == 2
    assert "already runs" in second.stderr

    started = time.monotonic()
    down = terminal.rayon("down")
    assert down.returncode == 0
    assert terminal.process.wait(10) == 0
    assert time.monotonic() - started < 20, "ten seconds, and the start of the command on a busy machine"

    assert terminal.rayon("doctor").returncode == 1
    assert "nothing runs" in terminal.rayon("status").stdout
