"""The verdict on every row of an import, written to a CSV file."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path
from types import TracebackType

from pipeline.domain.csv_cells import guard_formula
from pipeline.domain.import_run import RowVerdict
from pipeline.domain.reason import sentences

COLUMNS = ("row", "external_id", "verdict", "reason")


class VerdictWriter:
    """A context manager; the file appears as a whole when the block ends well, and not at all otherwise.

    An earlier file of the same name stays untouched until then.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> VerdictWriter:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        self._temporary = Path(name)
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream)
        self._writer.writerow(COLUMNS)
        return self

    def write(self, row: RowVerdict) -> None:
        """Add the verdict on a row."""
        reason = sentences((row.reason, *row.notes))
        self._writer.writerow(
            (row.number, guard_formula(row.external_id or ""), row.verdict.value, guard_formula(reason))
        )

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
