"""Small files that only their owner can read: written atomically, secrets created on first use."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write ``text`` with mode 0600, atomically: a reader sees either the old or the new text."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def read_or_create_secret(path: Path) -> str:
    """Return the secret stored in ``path``; create a random one if the file does not exist."""
    if not path.exists():
        write_private(path, secrets.token_hex(24))
    return path.read_text()
