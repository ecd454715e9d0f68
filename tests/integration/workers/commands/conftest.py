"""The command line, in a process of its own, on the record of a test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.integration.workers.conftest import Bench

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(bench: Bench) -> dict[str, str]:
    """What a command sees; a test may add to it."""
    settings = bench.context.settings
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("RAYON_")},
        "DATABASE_URL": settings.database_url,
        "RAYON_HOME": str(settings.home),
        "SECRET_KEY": settings.secret_key,
        "OMP_NUM_THREADS": "1",
        "RAYON_PHOTO_EXTRACTORS": "fisher",  # exporting a network takes ten seconds; its own tests do it
    }


@pytest.fixture
def rayon(environment: dict[str, str]) -> Run:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "workers.cli", *words], env=environment, capture_output=True, text=True, timeout=200
        )

    return run
