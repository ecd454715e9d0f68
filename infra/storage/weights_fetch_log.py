"""A log of weights fetches, in the object storage: the first accepted file, and the latest failed fetch."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.domain.errors import NotFound
from pipeline.domain.job import RetryPolicy
from pipeline.ports.services import ObjectStorage

# The delay after a failed background fetch: ten minutes, doubling with each failure, at most a day.
BACKGROUND_RETRY = RetryPolicy(first_delay=600.0, longest_delay=86_400.0)


@dataclass(frozen=True, slots=True)
class AcceptedWeights:
    """SHA-256 of the file as published, and of the stored file, which may be a conversion of it."""

    published_sha256: str
    stored_sha256: str


@dataclass(frozen=True, slots=True)
class FailedFetch:
    """The latest of ``failures`` consecutive failed fetches: when (seconds since the epoch), and why, for users."""

    failures: int
    failed_at: float
    reason: str

    @property
    def next_fetch_at(self) -> float:
        """When the next fetch is due, in seconds since the epoch."""
        return self.failed_at + BACKGROUND_RETRY.delay(self.failures, 0.0)


class WeightsFetchLog:
    """Reads and writes the objects ``weights/<name>/accepted.json`` and ``weights/<name>/failed.json``."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def accepted(self, name: str) -> AcceptedWeights | None:
        """The first file that was accepted; None when none was."""
        record = self._read(f"weights/{name}/accepted.json")
        try:
            return None if record is None else AcceptedWeights(str(record["sha256"]), str(record["kept"]))
        except KeyError:
            return None

    def record_accepted(self, name: str, weights: AcceptedWeights) -> None:
        """Record the file from the publisher; later ones must have the same digest."""
        record = {"sha256": weights.published_sha256, "kept": weights.stored_sha256}
        self._write(f"weights/{name}/accepted.json", record)

    def failed(self, name: str) -> FailedFetch | None:
        """The latest fetch, if it failed."""
        record = self._read(f"weights/{name}/failed.json")
        if record is None:
            return None
        try:
            return FailedFetch(int(record["failures"]), float(record["at"]), str(record["said"]))
        except (KeyError, ValueError, TypeError):
            return None

    def record_failure(self, name: str, reason: str) -> FailedFetch:
        """Record that a fetch has just failed, and return the record."""
        previous = self.failed(name)
        failed = FailedFetch(previous.failures + 1 if previous else 1, time.time(), reason)
        self._write(
            f"weights/{name}/failed.json", {"failures": failed.failures, "at": failed.failed_at, "said": reason}
        )
        return failed

    def clear_failures(self, name: str) -> None:
        """Delete the record of earlier failures."""
        self._storage.delete(f"weights/{name}/failed.json")

    def _read(self, key: str) -> Mapping[str, Any] | None:
        try:
            record = json.loads(self._storage.get(key, limit=10_000))
        except (NotFound, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def _write(self, key: str, record: Mapping[str, Any]) -> None:
        self._storage.put(key, json.dumps(record).encode(), "application/json")
