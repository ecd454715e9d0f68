"""Postgres and Redis alone: they keep their data and survive what happens to them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import psutil
import psycopg2
import pytest
import redis
import sqlalchemy

from infra.embedded.ports import LOOPBACK, ReservedPort, free_port, is_free
from infra.embedded.processes import running_in
from infra.embedded.servers import EmbeddedPostgres, EmbeddedRedis, EmbeddedServer

Build = Callable[[Path], EmbeddedServer]


def postgres(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, durable=False)


SERVERS = [postgres, EmbeddedRedis]


@contextlib.contextmanager
def started(server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def living(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def write(server: EmbeddedServer) -> None:
    if isinstance(server, EmbeddedPostgres):
        with sqlalchemy.create_engine(server.url()).begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE kept AS SELECT 'kept' AS word"))
    elif isinstance(server, EmbeddedRedis):
        with redis.Redis.from_url(server.url()) as client:
            client.set("kept", "kept")


def read(server: EmbeddedServer) -> str | None:
    if isinstance(server, EmbeddedPostgres):
        with sqlalchemy.create_engine(server.url()).begin() as connection:
            return cast("str | None", connection.scalar(sqlalchemy.text("SELECT word FROM kept")))
    assert isinstance(server, EmbeddedRedis)
    with redis.Redis.from_url(server.url(), decode_responses=True) as client:
        return cast("str | None", client.get("kept"))


@pytest.mark.parametrize("build", SERVERS)
def test_data_is_kept_across_a_stop_and_a_start(build: Build, tmp_path: Path) -> None:
    with started(build(tmp_path / "here")) as server:
        write(server)
    assert not server.running()
    with started(build(tmp_path / "here")) as server:
        assert read(server) == "kept"


@pytest.mark.parametrize("build", SERVERS)
def test_the_folder_may_be_long_and_have_spaces_quotes_and_accents(build: Build, tmp_path: Path) -> None:
    with started(build(tmp_path / "Catalogue d\"été à l'œil" / ("long" * 40) / "server")) as server:
        write(server)
        assert read(server) == "kept"


@pytest.mark.parametrize("build", SERVERS)
def test_a_taken_port_is_not_used(build: Build, tmp_path: Path) -> None:
    with started(build(tmp_path)) as server:
        write(server)
        port = server.port
    with socket.create_server((LOOPBACK, port)), started(build(tmp_path)) as server:
        assert server.port != port
        assert read(server) == "kept"


@pytest.mark.parametrize("build", SERVERS)
def test_the_port_of_last_time_is_used_again(build: Build, tmp_path: Path) -> None:
    with started(build(tmp_path)) as server:
        port = server.port
    with started(build(tmp_path)) as server:
        assert server.port == port


@pytest.mark.parametrize("build", SERVERS)
def test_a_server_still_running_on_the_folder_is_stopped_first(build: Build, tmp_path: Path) -> None:
    with started(build(tmp_path)) as old:
        write(old)
        before = running_in(old.working_folder, old.program)
        with started(build(tmp_path)) as server:
            assert not old.running()
            assert not any(living(process) for process in before)
            assert read(server) == "kept"


@pytest.mark.parametrize("build", SERVERS)
def test_a_server_killed_with_9_starts_again_with_its_data(build: Build, tmp_path: Path) -> None:
    with started(build(tmp_path)) as server:
        write(server)
        for process in running_in(server.working_folder, server.program):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
    with started(build(tmp_path)) as server:
        assert read(server) == "kept"


def test_a_stale_pid_file_naming_a_living_process_does_not_prevent_the_start(tmp_path: Path) -> None:
    with started(postgres(tmp_path)) as server:
        write(server)
    (server.working_folder / "postmaster.pid").write_text(
        f"{os.getpid()}\n{server.working_folder}\n1\n{server.port}\n\n127.0.0.1\n"
    )
    with started(postgres(tmp_path)) as server:
        assert read(server) == "kept"


def test_an_interrupted_initdb_is_repeated(tmp_path: Path) -> None:
    (tmp_path / "data.new" / "base").mkdir(parents=True)
    with started(postgres(tmp_path)) as server:
        assert server.ready()


@pytest.mark.parametrize("build", SERVERS)
def test_two_folders_run_side_by_side(build: Build, tmp_path: Path) -> None:
    with started(build(tmp_path / "one")) as one, started(build(tmp_path / "two")) as two:
        assert one.port != two.port
        write(one)
        with pytest.raises((sqlalchemy.exc.ProgrammingError, AssertionError)):
            assert read(two) == "kept"


def test_secrets_are_for_the_owner_only_and_needed(
    postgres_server: EmbeddedPostgres, redis_server: EmbeddedRedis
) -> None:
    files = [
        postgres_server.folder / "password",
        redis_server.folder / "password",
        redis_server.folder / "redis.conf",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host=LOOPBACK, port=postgres_server.port, user="rayon", password="guess", dbname="rayon")
    with redis.Redis(port=redis_server.port or 0) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_both_listen_on_loopback_only(postgres_server: EmbeddedPostgres, redis_server: EmbeddedRedis) -> None:
    for server in (postgres_server, redis_server):
        listening = set()
        for process in running_in(server.working_folder, server.program):
            # Short-lived children may end while they are looked at.
            with contextlib.suppress(psutil.NoSuchProcess):
                connections = process.net_connections()
                listening |= {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
        assert listening == {LOOPBACK}


def test_postgres_is_what_the_store_expects(empty_database_url: str) -> None:
    with sqlalchemy.create_engine(empty_database_url).begin() as connection:
        connection.execute(sqlalchemy.text("CREATE EXTENSION vector"))
        assert connection.execute(sqlalchemy.text("SELECT '[1,2]'::vector <-> '[1,4]'::vector")).scalar() == 2.0
        assert str(connection.scalar(sqlalchemy.text("SHOW server_version_num"))).startswith("18")
        assert connection.execute(sqlalchemy.text("SHOW server_encoding")).scalar() == "UTF8"
        assert connection.execute(sqlalchemy.text("SELECT lower('ÉTÉ')")).scalar() == "été"


def test_redis_is_what_the_broker_expects(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert client.info("persistence")["aof_enabled"] == 1
        assert client.dbsize() == 0


@pytest.mark.parametrize("build", SERVERS)
def test_the_port_of_a_prepared_or_dead_server_stays_reserved(build: Build, tmp_path: Path) -> None:
    server = build(tmp_path / "here")
    server.prepare()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((LOOPBACK, server.port))
    with started(server):
        first = server.port
        for process in running_in(server.working_folder, server.program):
            with contextlib.suppress(psutil.NoSuchProcess):  # the children of one that was killed end with it
                process.kill()
                process.wait(10)
        assert not server.running()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, first))
    assert first is not None
    assert is_free(first)


def test_a_server_listens_on_the_port_reserved_for_it_and_two_get_two() -> None:
    one, other = ReservedPort(), ReservedPort()
    assert one.number != other.number
    with socket.create_server((LOOPBACK, one.number)), contextlib.closing(socket.socket()) as asking:
        asking.connect((LOOPBACK, one.number))
    with socket.socket() as taking, pytest.raises(OSError, match="in use"):
        taking.bind((LOOPBACK, other.number))
    one.close()
    other.close()


def test_a_free_port_is_the_preferred_one_unless_that_is_taken() -> None:
    port = free_port()
    assert is_free(port)
    assert free_port(None, port) == port
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)
        assert free_port(port) != port
