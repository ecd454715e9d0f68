"""Fixtures: one storage of each kind, opened by address as in production."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.storage.factory import open_storage
from infra.storage.filesystem import FilesystemStorage
from infra.storage.s3 import S3Storage
from infra.storage.storage_interface import FileTransferStorage
from tests.integration.infra.storage.s3_server import ACCESS_KEY, SECRET_KEY, shared_server, why_absent


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if reason := why_absent():
        pytest.skip(reason)
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_server(folder) as endpoint:
        yield endpoint


@pytest.fixture
def s3_storage(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    url = f"s3://test-{uuid.uuid4().hex[:12]}/some/prefix?endpoint={s3_endpoint}"
    storage = open_storage(url, public_url="http://unused", secret="unused")
    assert isinstance(storage, S3Storage)
    storage.create_bucket()
    return storage


@pytest.fixture
def folder_storage(tmp_path: Path) -> FilesystemStorage:
    storage = open_storage(f"file://{tmp_path}/objects here", public_url="http://127.0.0.1:8000", secret="s")
    assert isinstance(storage, FilesystemStorage)
    return storage


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest) -> FileTransferStorage:
    opened: FileTransferStorage = request.getfixturevalue(f"{request.param}_storage")
    return opened
