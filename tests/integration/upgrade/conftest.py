"""The earlier version's database and objects, unpacked once a session and copied for each test."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.servers import EmbeddedPostgres
from infra.store.database import upgrade
from tests.integration.upgrade.earlier_version import BASELINE, UpgradedStack, load_database, open_stack, unpack_objects


@pytest.fixture(scope="session")
def expected() -> Any:
    """The answers of the earlier version."""
    return json.loads((BASELINE / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def earlier_database(postgres_server: EmbeddedPostgres) -> str:
    """The name of a database as the earlier version left it, to copy and not to connect to."""
    load_database(postgres_server.create_database("earlier"))
    return "earlier"


@pytest.fixture(scope="session")
def upgraded_database(postgres_server: EmbeddedPostgres, earlier_database: str) -> str:
    """The name of the same database, migrated, to copy and not to connect to."""
    upgrade(postgres_server.create_database("upgraded", template=earlier_database))
    return "upgraded"


@pytest.fixture(scope="session")
def earlier_objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The earlier version's object storage."""
    folder = tmp_path_factory.mktemp("earlier-objects")
    unpack_objects(folder)
    return folder


@pytest.fixture
def upgraded(
    postgres_server: EmbeddedPostgres, upgraded_database: str, earlier_objects: Path, tmp_path: Path, expected: Any
) -> Iterator[UpgradedStack]:
    """The present program on copies of the earlier version's database and objects."""
    name = f"test_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name, template=upgraded_database)
    # The storage replaces objects and never writes into them, so links do.
    shutil.copytree(earlier_objects, tmp_path / "objects", copy_function=os.link)
    stack = open_stack(url, tmp_path, expected["keys"])
    yield stack
    stack.close()
    postgres_server.drop_database(name)
