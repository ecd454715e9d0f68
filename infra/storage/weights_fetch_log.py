"""The record of fetched weights, in the object storage: the first accepted file, and the last failed fetch."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.domain.errors import NotFound
from pipeline.domain.job import RetryPolicy
from pipeline.ports.services import ObjectStorage

# After a failed background fetch: ten minutes, then twice as long each time, at most a day.
BACKGROUND_RETRY = RetryPolicy(first_delay=600.0, longest_delay=86_400.0)


@dataclass(frozen=True, slots=True)
class AcceptedWeights:
    """SHA-256 of the file as published, and of the one stored, which may be a conversion of it."""

    published_sha256: str
    stored_sha256: str


@dataclass(frozen=True, slots=True)
class FailedFetch:
    """The last of ``failures`` failed fetches in a row: when (seconds since the epoch), and why, for users."""

    failures: int
    at: float
    reason: str

    @property
    def next_at(self) -> float:
        """When the next fetch is due, in seconds since the epoch."""
        return self.at + BACKGROUND_RETRY.delay(self.failures, 0.0)


class WeightsFetchLog:
    """Objects ``weights/<name>/accepted.json`` and ``weights/<name>/failed.json`` of a storage."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def accepted(self, name: str) -> AcceptedWeights | None:
        """The file that was accepted; None when none was."""
        record = self._read(f"weights/{name}/accepted.json")
        try:
            return None if record is None else AcceptedWeights(str(record["sha256"]), str(record["kept"]))
        except KeyError:
            return None

    def accept(self, name: str, weights: AcceptedWeights) -> None:
        """Record a file from the publisher; later ones must have the same digest."""
        record = {"sha256": weights.published_sha256, "kept": weights.stored_sha256}
        self._write(f"weights/{name}/accepted.json", record)

    def failed(self, name: str) -> FailedFetch | None:
        """The last fetch, if it failed."""
        record = self._read(f"weights/{name}/failed.json")
        if record is None:
            return None
        try:
            return FailedFetch(int(record["failures"]), float(record["at"]), str(record["said"]))
        except (KeyError, ValueError, TypeError):
            return None

    def fail(self, name: str, reason: str) -> FailedFetch:
        """Record that a fetch has failed now."""
        before = self.failed(name)
        failed = FailedFetch(before.failures + 1 if before else 1, time.time(), reason)
        self._write(f"weights/{name}/failed.json", {"failures": failed.failures, "at": failed.at, "said": reason})
        return failed

    def succeed(self, name: str) -> None:
        """Delete the record of earlier failures."""
        self._storage.delete(f"weights/{name}/failed.json")

    def _read(self, key: str) -> Mapping[str, Any] | None:
        try:
            found = json.loads(self._storage.get(key, limit=10_000))
        except (NotFound, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _write(self, key: str, record: Mapping[str, Any]) -> None:
        self._storage.put(key, json.dumps(record).encode(), "application/json")
