"""Small files that only their owner can read: written atomically, secrets made once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write ``text`` with mode 0600, atomically: a reader sees the old text or the new."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def secret_file(path: Path) -> str:
    """Return the secret stored in ``path``; a new random one is written there first if there is none."""
    if not path.exists():
        write_private(path, secrets.token_hex(24))
    return path.read_text()
