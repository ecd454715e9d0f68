"""What is remembered of fetched weights beside them: which file was accepted first, and how the last try failed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.domain.errors import NotFound
from pipeline.domain.job import RetryPolicy
from pipeline.ports.services import ObjectStorage

# After a failed try that nobody asked for: ten minutes, then twice as long each time, at most a day.
PATIENCE = RetryPolicy(first_delay=600.0, longest_delay=86_400.0)


@dataclass(frozen=True, slots=True)
class Accepted:
    """SHA-256 of the file that came from the publisher, and of the one that is kept of it (they may differ)."""

    sha256: str
    kept: str


@dataclass(frozen=True, slots=True)
class FailedTry:
    """The last of ``failures`` tries in a row: when (seconds since the epoch), and why in plain words."""

    failures: int
    at: float
    said: str

    @property
    def next_at(self) -> float:
        """When the next try is due, in seconds since the epoch."""
        return self.at + PATIENCE.delay(self.failures, 0.0)


class WeightsLedger:
    """Objects ``weights/<name>/accepted.json`` and ``weights/<name>/failed.json`` of a storage."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def accepted(self, name: str) -> Accepted | None:
        """The file that was accepted; None when none was."""
        found = self._read(f"weights/{name}/accepted.json")
        try:
            return None if found is None else Accepted(str(found["sha256"]), str(found["kept"]))
        except KeyError:
            return None

    def accept(self, name: str, file: Accepted) -> None:
        """Remember a file from the publisher; later ones are held to it."""
        self._write(f"weights/{name}/accepted.json", asdict(file))

    def failed(self, name: str) -> FailedTry | None:
        """The last try, when it failed."""
        found = self._read(f"weights/{name}/failed.json")
        try:
            return None if found is None else FailedTry(int(found["failures"]), float(found["at"]), str(found["said"]))
        except (KeyError, ValueError, TypeError):
            return None

    def fail(self, name: str, said: str) -> FailedTry:
        """Remember that a try has failed, now."""
        before = self.failed(name)
        failed = FailedTry(before.failures + 1 if before else 1, time.time(), said)
        self._write(f"weights/{name}/failed.json", asdict(failed))
        return failed

    def succeed(self, name: str) -> None:
        """Forget earlier failures."""
        self._storage.delete(f"weights/{name}/failed.json")

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            found = json.loads(self._storage.get(key, limit=10_000))
        except (NotFound, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _write(self, key: str, content: Mapping[str, Any]) -> None:
        self._storage.put(key, json.dumps(content).encode(), "application/json")
