"""A small program that starts another one: tied to the life of its parent, and under an unprivileged account.

``python -m infra.embedded.launcher --signal 15 --parent PID [--nice N] [--user UID --group GID] -- program …``

The kernel sends the signal when the parent *thread* dies, so launch from a thread that lives as long as the program
should. A wrapper is used rather than ``preexec_fn``, which may deadlock in a parent with threads.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from pipeline.domain.errors import Unavailable

_PR_SET_PDEATHSIG = 1
_NAMESPACE = ("unshare", "-U", "--map-user=1000", "--map-group=1000", "--")


@dataclass(frozen=True, slots=True)
class Account:
    """The identity a program runs under: words put before its command, or a user and group to change to."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def own(self, *paths: Path) -> None:
        """Give ``paths`` to the account's user; does nothing when the account changes no user."""
        if self.uid is not None and self.gid is not None:
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def check_access(self, *paths: Path) -> None:
        """Raise Unavailable, naming the folder, when the account's user may not pass through a parent of ``paths``."""
        if self.uid is None:
            return
        for path in paths:
            for folder in reversed(path.absolute().parents):
                state = folder.stat()
                passes = state.st_mode & (stat.S_IXUSR if state.st_uid == self.uid else stat.S_IXOTH)
                if not passes and not (state.st_gid == self.gid and state.st_mode & stat.S_IXGRP):
                    raise Unavailable(
                        f"Postgres does not run as root, and user {self.uid}, who would run it, may not pass through "
                        f"{folder} to reach {path}. Start Rayon as an ordinary user, put it and RAYON_HOME in folders "
                        f"open to others (chmod o+x {folder}), or allow user namespaces (unshare -U)."
                    )


@functools.cache
def namespace_works() -> bool:
    """Whether this machine allows a user namespace in which root looks like an ordinary user."""
    if shutil.which(_NAMESPACE[0]) is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def unprivileged_account(folder: Path) -> Account:
    """The account for a server that refuses to run as root and whose files lie in ``folder``.

    Our own unless we are root; else the folder's owner, a user namespace, or the user nobody.
    """
    if os.geteuid() != 0:
        return Account()
    if folder.exists() and folder.stat().st_uid != 0:
        return Account(uid=folder.stat().st_uid, gid=folder.stat().st_gid)
    if namespace_works():
        return Account(prefix=_NAMESPACE)
    nobody = pwd.getpwnam("nobody")
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def launch_command(
    argv: Sequence[str], death_signal: Signals, account: Account | None = None, nice: int = 0
) -> list[str]:
    """``argv`` wrapped so that it gets ``death_signal`` when the calling thread dies, and runs under ``account``."""
    account = account or Account()
    words = [sys.executable, "-m", "infra.embedded.launcher"]
    words += ["--signal", str(int(death_signal)), "--parent", str(os.getpid())]
    if nice:
        words += ["--nice", str(nice)]
    if account.uid is not None and account.gid is not None:
        words += ["--user", str(account.uid), "--group", str(account.gid)]
    return [*words, "--", *account.prefix, *argv]


def main(arguments: Sequence[str]) -> None:
    """Change to the account, ask the kernel for the signal, become the wanted program. Never returns."""
    parser = argparse.ArgumentParser(prog="infra.embedded.launcher")
    parser.add_argument("--signal", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--user", type=int)
    parser.add_argument("--group", type=int)
    parser.add_argument("argv", nargs="+")
    options = parser.parse_args(arguments)
    if options.nice:
        os.nice(options.nice)
    if options.user is not None:
        os.setgroups([])
        os.setgid(options.group)
        os.setuid(options.user)
    # After the change of user, because the kernel drops the request when credentials change.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, options.signal, 0, 0, 0) != 0:
        sys.exit(f"launcher: prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != options.parent:
        sys.exit("launcher: the parent has already ended")
    try:
        os.execvp(options.argv[0], options.argv)  # noqa: S606 - to become the program is the purpose
    except OSError as error:
        sys.exit(f"launcher: cannot run {options.argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
