"""Who runs Postgres: it refuses to run as root, so root lends it another identity."""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.errors import Unavailable

_NAMESPACE = ("unshare", "-U", "--map-user=1000", "--map-group=1000", "--")


@dataclass(frozen=True, slots=True)
class Account:
    """How a program gets an unprivileged identity: words put before it, or a user and group to change to."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def own(self, *paths: Path) -> None:
        """Hand ``paths`` to the account's user; nothing to do when it has none of its own."""
        if self.uid is not None and self.gid is not None:
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def check_reach(self, *paths: Path) -> None:
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
    """Whether this machine lets us open a user namespace in which root looks like an ordinary user."""
    if shutil.which(_NAMESPACE[0]) is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def account_for(folder: Path) -> Account:
    """The account for a server whose files lie in ``folder``: ours, a namespace's, the folder's owner, or nobody."""
    if os.geteuid() != 0:
        return Account()
    if folder.exists() and folder.stat().st_uid != 0:
        return Account(uid=folder.stat().st_uid, gid=folder.stat().st_gid)
    if namespace_works():
        return Account(prefix=_NAMESPACE)
    nobody = pwd.getpwnam("nobody")
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)
