"""A wrapper program that runs another one, signalled when its parent ends, under an unprivileged account.

``python -m infra.embedded.exec_wrapper --signal 15 --parent PID [--nice N] [--user UID --group GID] -- program …``

The kernel sends the signal when the parent *thread* ends, so start the wrapper from a thread that lives as long as the
program should. A wrapper is used because ``preexec_fn`` may deadlock in a parent with threads.
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
_USER_NAMESPACE_COMMAND = ("unshare", "-U", "--map-user=1000", "--map-group=1000", "--")


@dataclass(frozen=True, slots=True)
class Account:
    """The identity a program runs under: a prefix for its command line, or a user and group to change to."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def chown(self, *paths: Path) -> None:
        """Make the account's user the owner of ``paths``; does nothing when the account does not change the user."""
        if self.uid is not None and self.gid is not None:
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def check_access(self, *paths: Path) -> None:
        """Raise Unavailable, naming the folder, when the account's user cannot enter a parent folder of ``paths``."""
        if self.uid is None:
            return
        for path in paths:
            for folder in reversed(path.absolute().parents):
                folder_stat = folder.stat()
                may_enter = folder_stat.st_mode & (stat.S_IXUSR if folder_stat.st_uid == self.uid else stat.S_IXOTH)
                if not may_enter and not (folder_stat.st_gid == self.gid and folder_stat.st_mode & stat.S_IXGRP):
                    raise Unavailable(
                        f"Postgres does not run as root, and user {self.uid}, who would run it, may not pass through "
                        f"{folder} to reach {path}. Start Rayon as an ordinary user, put it and RAYON_HOME in folders "
                        f"open to others (chmod o+x {folder}), or allow user namespaces (unshare -U)."
                    )


@functools.cache
def user_namespaces_allowed() -> bool:
    """Whether this machine allows user namespaces, in which root appears as an ordinary user."""
    if shutil.which(_USER_NAMESPACE_COMMAND[0]) is None:
        return False
    return subprocess.run([*_USER_NAMESPACE_COMMAND, "true"], capture_output=True, check=False).returncode == 0


def unprivileged_account(folder: Path) -> Account:
    """The account for a server that refuses to run as root and keeps its files in ``folder``.

    The current account unless it is root; then the folder's owner unless that is root too, then root in a user
    namespace, then the user nobody.
    """
    if os.geteuid() != 0:
        return Account()
    if folder.exists() and folder.stat().st_uid != 0:
        return Account(uid=folder.stat().st_uid, gid=folder.stat().st_gid)
    if user_namespaces_allowed():
        return Account(prefix=_USER_NAMESPACE_COMMAND)
    nobody = pwd.getpwnam("nobody")
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def launch_command(
    argv: Sequence[str], parent_death_signal: Signals, account: Account | None = None, nice: int = 0
) -> list[str]:
    """``argv`` wrapped to run under ``account``; the kernel signals it when the calling thread ends."""
    account = account or Account()
    command = [sys.executable, "-m", "infra.embedded.exec_wrapper"]
    command += ["--signal", str(int(parent_death_signal)), "--parent", str(os.getpid())]
    if nice:
        command += ["--nice", str(nice)]
    if account.uid is not None and account.gid is not None:
        command += ["--user", str(account.uid), "--group", str(account.gid)]
    return [*command, "--", *account.prefix, *argv]


def main(arguments: Sequence[str]) -> None:
    """Change to the account, request the signal from the kernel, and replace this process by the program."""
    parser = argparse.ArgumentParser(prog="infra.embedded.exec_wrapper")
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
    # Requested after the change of user, because the kernel cancels the request when credentials change.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, options.signal, 0, 0, 0) != 0:
        sys.exit(f"exec_wrapper: prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != options.parent:
        sys.exit("exec_wrapper: the parent has already ended")
    try:
        os.execvp(options.argv[0], options.argv)  # noqa: S606 - replacing this process is the purpose
    except OSError as error:
        sys.exit(f"exec_wrapper: cannot run {options.argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
