"""Fixtures of all tests: real Postgres and Redis, one of each per pytest-xdist worker, and the shared catalogues."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis

from infra.embedded.servers import EmbeddedPostgres, EmbeddedRedis

_TEMPLATE = "migrated"
_MEMORY = Path("/dev/shm")  # a folder in memory, where there is one
_ROOM = 2_000_000_000  # bytes that must be free in it
# No test uses the internet; those that fetch weights have a server of their own.
os.environ["RAYON_FETCH_WEIGHTS"] = "none"
# Tests run side by side, one process per core: more threads of linear algebra would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put groups into the ids of tests for ``--dist loadgroup``: xdist 3.8 writes them where pytest 9.2 does not look.

    Without that, each process would make what a group shares, and stacks that need the machine would run side by side.
    """
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        suffix = f"@{'_'.join(groups)}"
        if groups and not item.nodeid.endswith(suffix):
            from _pytest.nodeid import NodeId  # older versions of pytest, where xdist works, lack it

            item._id = NodeId.parse(item.nodeid + suffix)


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory if there is room: a test's own database is 300 files, which take half a second on a disk."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
        for left in _MEMORY.glob("rayon-tests-*"):  # left by tests that were killed
            if not Path("/proc", left.name.split("-")[2]).exists():
                shutil.rmtree(left, ignore_errors=True)
        with TemporaryDirectory(prefix=f"rayon-tests-{os.getpid()}-", dir=_MEMORY, ignore_cleanup_errors=True) as name:
            yield Path(name)
    else:
        yield tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def postgres_server(quick_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A running Postgres without fsync."""
    server = EmbeddedPostgres(quick_folder / "postgres", durable=False)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A running Redis."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres) -> str:
    """The name of a database with every migration applied, to copy from."""
    from infra.store.database import upgrade

    upgrade(postgres_server.create_database(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """The address of a fresh, migrated database for one test."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name, template=migrated_template)
    postgres_server.drop_database(name)


@pytest.fixture
def empty_database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The address of a fresh database without tables."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """The address of an empty Redis."""
    with redis.Redis.from_url(redis_server.url()) as client:
        client.flushall()
    return redis_server.url()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of the real catalogues beside the checkout; skips the test where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real catalogues are not beside this checkout ({folder})")
    return folder
