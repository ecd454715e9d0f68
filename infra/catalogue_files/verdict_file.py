"""The verdict on every row of an import, written to a CSV file."""

from __future__ import annotations

import csv
import os
import tempfile
from collections import Counter
from enum import StrEnum
from pathlib import Path
from types import TracebackType

COLUMNS = ("row", "external_id", "verdict", "reason")


class Verdict(StrEnum):
    """What became of a row."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


class VerdictWriter:
    """A context manager; the file appears whole when the block ends well, and an interruption leaves none behind.

    An earlier file of the same name stays untouched until then. ``counts`` sums up by verdict.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.counts: Counter[Verdict] = Counter()

    def __enter__(self) -> VerdictWriter:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        self._temporary = Path(name)
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream)
        self._writer.writerow(COLUMNS)
        return self

    def write(self, row: int, external_id: str | None, verdict: Verdict, reason: str = "") -> None:
        """Add the verdict on a row (its number, from 1)."""
        self._writer.writerow((row, external_id or "", verdict.value, reason))
        self.counts[verdict] += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._stream.flush()
                os.fsync(self._stream.fileno())
        finally:
            self._stream.close()
            if kind is None:
                self._temporary.chmod(0o644)
                self._temporary.replace(self._path)
            else:
                self._temporary.unlink(missing_ok=True)
