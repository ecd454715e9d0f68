"""A file of random bytes, and policies with short timeouts, for the tests of downloads."""

from __future__ import annotations

import random
from pathlib import Path

from infra.safe_fetch.published_file_download import DownloadPolicy, downloaded_file
from pipeline.domain.job import RetryPolicy
from pipeline.domain.published_file import PublishedFile

CONTENT = random.Random(3).randbytes(3_000_000)
HASTY = DownloadPolicy(
    connect_timeout=2.0,
    read_timeout=0.3,
    retry=RetryPolicy(attempt_limit=3, first_delay=0.01, longest_delay=0.01),
    max_retry_after=0.02,
)
ONE_TRY = DownloadPolicy(connect_timeout=2.0, read_timeout=0.3, retry=RetryPolicy(attempt_limit=1))


def fetch(
    wanted: PublishedFile,
    folder: Path,
    policy: DownloadPolicy = HASTY,
    seen: list[tuple[int, int | None]] | None = None,
) -> bytes:
    told = [] if seen is None else seen
    with downloaded_file(wanted, folder, lambda size, total: told.append((size, total)), policy) as path:
        assert path.name == "weights.h5"
        return path.read_bytes()


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"weights.h5.lock"}
