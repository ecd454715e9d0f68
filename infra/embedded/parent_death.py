"""A small program that ties another one to the life of its parent, then becomes it.

``python -m infra.embedded.parent_death --signal 15 --parent PID [--nice N] [--user UID --group GID] -- program …``

The kernel sends the signal when the parent *thread* dies, so start leashed programs from a thread that lives as long as
they should. A wrapper is used rather than ``preexec_fn``, which may deadlock in a parent with threads.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from collections.abc import Sequence
from signal import Signals

from infra.embedded.unprivileged_account import Account

_PR_SET_PDEATHSIG = 1


def leashed(argv: Sequence[str], death_signal: Signals, account: Account | None = None, nice: int = 0) -> list[str]:
    """``argv`` wrapped so that it gets ``death_signal`` when the calling thread dies, and runs as ``account``."""
    account = account or Account()
    words = [
        sys.executable,
        "-m",
        "infra.embedded.parent_death",
        "--signal",
        str(int(death_signal)),
        "--parent",
        str(os.getpid()),
    ]
    if nice:
        words += ["--nice", str(nice)]
    if account.uid is not None and account.gid is not None:
        words += ["--user", str(account.uid), "--group", str(account.gid)]
    return [*words, "--", *account.prefix, *argv]


def main(arguments: Sequence[str]) -> None:
    """Drop to the account, ask the kernel for the signal, replace this program by the wanted one. Never returns."""
    parser = argparse.ArgumentParser(prog="infra.embedded.parent_death")
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
    # After the change of user, because the kernel forgets the wish when credentials change.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, options.signal, 0, 0, 0) != 0:
        sys.exit(f"leash: prctl failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != options.parent:
        sys.exit("leash: the parent is gone already")
    try:
        os.execvp(options.argv[0], options.argv)  # noqa: S606 - to become the program is the purpose
    except OSError as error:
        sys.exit(f"leash: cannot run {options.argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
