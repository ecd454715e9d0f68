"""Imports in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import EncodedRows, ImportRun, ImportStatus, PageCounts, RowVerdict
from pipeline.domain.job import Requested
from pipeline.domain.product_source import ProductQuery, SourceCursor
from tests.fakes.tables import StoredImport, Tables


class MemoryImports:
    """Implements ``pipeline.ports.repositories.ImportRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def begin_or_continue(
        self, source_id: int, database: str, query: ProductQuery, *, afresh: bool = False
    ) -> Requested:
        """The import of a query into a source; one that failed is continued, whenever that was."""
        running = self.find_in_progress(source_id, database, query)
        if running is not None:
            return Requested(running, is_new=False)
        fingerprint = query.fingerprint(database)
        for stored in reversed(self._tables.imports.values()):
            if stored.fingerprint == fingerprint and stored.status is ImportStatus.FAILED and not afresh:
                stored.status = ImportStatus.RUNNING
                return Requested(stored.run.id, is_new=True)
        return Requested(self._begin(source_id, fingerprint, None), is_new=True)

    def find_in_progress(self, source_id: int, database: str, query: ProductQuery) -> int | None:
        """The running import of a query into a source."""
        for stored in self._tables.imports.values():
            same = (stored.source_id, stored.fingerprint) == (source_id, query.fingerprint(database))
            if same and stored.status is ImportStatus.RUNNING:
                return stored.run.id
        return None

    def begin(self, source_id: int, database: str, query: ProductQuery, unique_key: str) -> int | None:
        """Begin an import; None when the unique key is taken."""
        if unique_key in {stored.unique_key for stored in self._tables.imports.values()}:
            return None
        return self._begin(source_id, query.fingerprint(database), unique_key)

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

    def _begin(self, source_id: int, fingerprint: str, unique_key: str | None) -> int:
        run = ImportRun(self._tables.next_id())
        self._tables.imports[run.id] = StoredImport(run, source_id, fingerprint=fingerprint, unique_key=unique_key)
        return run.id

    def _running(self, import_id: int, row: int) -> StoredImport:
        stored = self._tables.imports.get(import_id)
        if stored is None or stored.status is not ImportStatus.RUNNING or stored.run.row != row:
            raise Conflict(f"import {import_id} is not at row {row}: another process continues it")
        return stored
