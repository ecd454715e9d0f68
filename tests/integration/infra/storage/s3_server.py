"""A real S3 server (Ceph RGW) for the tests, shared by the processes of one test run."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTER = Path(__file__).resolve().parents[5] / "shared" / "tools" / "rgw-up"
PROGRAMS = ("radosgw", "ceph-mon", "ceph-osd", "radosgw-admin")
ACCESS_KEY, SECRET_KEY = "rayon-test", "rayon-test-secret"


def why_absent() -> str | None:
    """Why there can be no S3 server here, or None."""
    if not STARTER.is_file():
        return "no starter of an S3 server beside the checkout"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"no {', '.join(missing)} on this machine: apt-get install radosgw ceph-mon ceph-osd" if missing else None


@contextmanager
def shared_server(folder: Path) -> Iterator[str]:
    """The endpoint. The first user starts the server, the last one ends it; ``folder`` is common to all users."""
    users, server = folder / "s3-users", folder / "s3-server"
    with _locked(folder):
        count = int(users.read_text()) if users.exists() else 0
        if count == 0:
            subprocess.run([STARTER, server, str(_free_ports())], check=True, capture_output=True, timeout=120)
            (folder / "s3-endpoint").write_text(_endpoint_of(server))
        users.write_text(str(count + 1))
        endpoint = (folder / "s3-endpoint").read_text()
    try:
        yield endpoint
    finally:
        with _locked(folder):
            count = int(users.read_text()) - 1
            users.write_text(str(count))
            if count == 0:
                for pid_file in sorted((server / "run").glob("*.pid"), reverse=True):
                    os.kill(int(pid_file.read_text()), signal.SIGKILL)


def _endpoint_of(server: Path) -> str:
    line = next(line for line in (server / "ceph.conf").read_text().splitlines() if "rgw frontends" in line)
    return "http://" + line.split("endpoint=")[1].split()[0]


def _free_ports() -> int:
    # The gateway and its monitor take three ports in a row.
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                for follower in (port + 1, port + 2):
                    with socket.socket() as other:
                        other.bind(("127.0.0.1", follower))
            except OSError:
                continue
        return port


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "s3-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
