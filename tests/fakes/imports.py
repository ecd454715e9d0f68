"""Imports in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import EncodedRows, ImportRun, ImportStatus, PageCounts, RowVerdict
from pipeline.domain.product_source import SourceCursor
from tests.fakes.tables import StoredImport, Tables


class MemoryImports:
    """Implements ``pipeline.ports.repositories.ImportRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add_page(self, import_id: int, rows: Sequence[RowVerdict], without_photo: int) -> None:
        """Write the verdicts of the next rows, count them and move the cursor."""
        if not rows:
            return
        stored = self._running(import_id, rows[0].number - 1)
        verdicts = stored.run.verdicts.copy()
        verdicts.update(row.verdict for row in rows)
        without_photo += stored.run.without_photo
        stored.run = replace(stored.run, row=rows[-1].number, verdicts=verdicts, without_photo=without_photo)
        self._tables.import_rows.update({(import_id, row.number): row for row in rows})

    def advance(self, run: ImportRun) -> None:
        """Write the progress of a run and its source's cursor."""
        stored = self._running(run.id, run.row)
        stored.run = replace(run, verdicts=stored.run.verdicts, without_photo=stored.run.without_photo)

    def restart(self, import_id: int) -> ImportRun:
        """Forget the verdicts and the cursor of a run."""
        stored = self._tables.imports[import_id]
        if stored.status is not ImportStatus.RUNNING:
            raise Conflict(f"import {import_id} is not running any more")
        stored.run = ImportRun(import_id)
        for key in [key for key in self._tables.import_rows if key[0] == import_id]:
            del self._tables.import_rows[key]
        return stored.run

    def add_encoded_rows(
        self, source_id: int, import_id: int, rows: EncodedRows, following: SourceCursor | None = None
    ) -> PageCounts:
        """Not faked: the encoding belongs to the database."""
        raise NotImplementedError

    def _running(self, import_id: int, row: int) -> StoredImport:
        stored = self._tables.imports.get(import_id)
        if stored is None or stored.status is not ImportStatus.RUNNING or stored.run.row != row:
            raise Conflict(f"import {import_id} does not stand at row {row}: somebody else is at it")
        return stored
