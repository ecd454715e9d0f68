"""A host of one file, and a folder to fetch it into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.infra.safe_fetch.download_fixtures import CONTENT
from tests.integration.infra.safe_fetch.file_host import FileHost, running_file_host


@pytest.fixture
def host() -> Iterator[FileHost]:
    with running_file_host(CONTENT) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "downloads"
