"""What every test may ask for: real Postgres and Redis, one of each to a pytest-xdist worker; the shared catalogues."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis

from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.redis import EmbeddedRedis

_TEMPLATE = "migrated"
_MEMORY = Path("/dev/shm")  # a folder in memory, where there is one
_ROOM = 2_000_000_000  # bytes that must be free in it
# No test asks the internet; those that fetch weights have a server of their own.
os.environ["RAYON_FETCH_WEIGHTS"] = "none"
# Tests run side by side, one process to a core: more threads of linear algebra would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell ``--dist loadgroup`` the groups of tests in their ids: xdist 3.8 writes them where pytest 9.2 does not look.

    Without that, each process makes what a group shares, and stacks that want the machine for themselves meet.
    """
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        told = f"@{'_'.join(groups)}"
        if groups and not item.nodeid.endswith(told):
            from _pytest.nodeid import NodeId  # where it is not, xdist has told it

            item._id = NodeId.parse(item.nodeid + told)


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory if there is room: a database of its own for a test is 300 files, on a disk half a second."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
        for left in _MEMORY.glob("rayon-tests-*"):  # of tests that were killed
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
    """The name of a database with every migration applied, to copy and not to connect to."""
    from infra.store.database import upgrade

    upgrade(postgres_server.create_database(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """SQLAlchemy's address of a fresh, migrated database of this test alone."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name, template=migrated_template)
    postgres_server.drop_database(name)


@pytest.fixture
def empty_database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """SQLAlchemy's address of a fresh database without any table."""
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
    """The folder of the real catalogues beside the checkout; the test is skipped where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real catalogues are not beside this checkout ({folder})")
    return folder
