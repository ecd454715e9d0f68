"""The stack as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.embedded.exec_wrapper import Account
from infra.embedded.processes import running_in
from infra.embedded.servers import EmbeddedPostgres
from pipeline.domain.errors import Unavailable

NOBODY = 65534
REPOSITORY = Path(__file__).resolve().parents[4]
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

ROUND = """
import os, sys
from pathlib import Path
from infra.embedded.servers import EmbeddedPostgres
from infra.embedded.servers import EmbeddedRedis
for kind in (EmbeddedPostgres, EmbeddedRedis):
    server = kind(Path(sys.argv[1]) / kind.__name__)
    server.start()
    print(os.getuid(), server.program, server.ready())
    server.stop()
"""
# In a mount namespace of its own: the same Python, below a folder that others may pass through.
OPENED = """
set -e
mkdir "$1/python" && mount --bind "$2" "$1/python" && mount -t tmpfs -o mode=755 tmpfs "$3"
mkdir -p "$2" && mount --bind "$1/python" "$2"
shift 3
exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may reach; pytest's own are its user's only."""
    folder = Path(tempfile.mkdtemp(prefix="rayon-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def closed_parent(path: Path) -> Path | None:
    """The outermost parent of ``path`` that others may not pass through."""
    return next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), None)


@root_only
def test_root_runs_postgres_as_the_owner_of_the_folder(open_folder: Path) -> None:
    folder = open_folder / "postgres"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    server = EmbeddedPostgres(folder, durable=False)
    for _ in range(2):
        server.start()
        try:
            # The server's own short-lived children may end while they are looked at.
            (main, *_) = server.working_folder.joinpath("postmaster.pid").read_text().splitlines()
            assert psutil.Process(int(main)).uids().real == NOBODY
            assert server.ready()
        finally:
            server.stop()


@root_only
def test_root_says_which_folder_keeps_the_other_user_out(open_folder: Path) -> None:
    closed = open_folder / "closed"
    folder = closed / "postgres"
    folder.mkdir(parents=True)
    os.chown(folder, NOBODY, NOBODY)
    closed.chmod(0o700)
    with pytest.raises(Unavailable, match=str(closed)):
        EmbeddedPostgres(folder, durable=False).start()
    Account().check_access(folder)


@root_only
def test_an_ordinary_user_runs_both_servers(open_folder: Path) -> None:
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY, NOBODY)
    python = Path(sys.base_prefix).resolve()
    if closed_parent(REPOSITORY / "x") or closed_parent(Path(sys.prefix) / "x"):
        pytest.skip("the checkout lies in a folder that other users may not pass through")
    command = [sys.executable, "-c", ROUND, str(home)]
    closed = closed_parent(python / "x")
    if closed is None:
        full = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    else:
        if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
            pytest.skip(f"other users may not pass through {closed} to reach Python, nor can it be mounted elsewhere")
        full = ["unshare", "-m", "sh", "-c", OPENED, "sh", str(open_folder), str(python), str(closed), *command]
    outcome = subprocess.run(full, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)
    assert outcome.stdout.splitlines() == [f"{NOBODY} postgres True", f"{NOBODY} redis-server True"], outcome.stderr


def test_no_server_runs_as_root_where_it_would_refuse(postgres_server: EmbeddedPostgres) -> None:
    assert postgres_server.running()
    first = running_in(postgres_server.working_folder, "postgres")[0]
    assert psutil.Process(first.pid).is_running()
    assert os.geteuid() != 0 or postgres_server.account() != Account()
