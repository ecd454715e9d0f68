"""Imports, their differences and their locks in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pipeline.domain.errors import Conflict, NotFound
from pipeline.domain.import_run import (
    EncodedRows,
    ImportRecord,
    ImportRequest,
    ImportRun,
    ImportStatus,
    PageCounts,
    RowVerdict,
    VanishedListing,
    VanishedProducts,
)
from pipeline.domain.job import OPEN_STATES, JobKind
from pipeline.domain.json_record import JsonObject
from pipeline.domain.product_source import SourceCursor
from pipeline.domain.verdict import Verdict
from tests.fakes.tables import StoredImport, Tables

CONTINUED_FOR = 2 * 86_400  # seconds


class MemoryImports:
    """Implements ``pipeline.ports.repositories.ImportRepository``; ``held`` are the imports that processes work on."""

    def __init__(self, tables: Tables, held: set[int]) -> None:
        self._tables = tables
        self._held = held

    def lock(self, import_id: int) -> ImportRecord | None:
        """The import, or None."""
        record = self._tables.imports.get(import_id)
        return None if record is None else self._stored(record)

    def find_interrupted(self, request: ImportRequest) -> ImportRecord | None:
        """The last import of the same request, unless it is done."""
        into = [one for one in self._tables.imports.values() if one.request.source_id == request.source_id]
        if request.query is not None:
            same = [one for one in into if one.request.fingerprint == request.fingerprint]
            into = [one for one in same[-1:] if one.active_at > self._tables.now - CONTINUED_FOR]
        last = into[-1] if into else None
        if last is None or last.status is ImportStatus.DONE or last.request.fingerprint != request.fingerprint:
            return None
        return self._stored(last)

    def find_in_progress(self, request: ImportRequest) -> int | None:
        """An import of the same request that a process works on or that a job will continue."""
        for record in reversed(self._same(request)):
            running = record.status is ImportStatus.RUNNING
            if self._has_job(record.run.id) or (running and record.run.id in self._held):
                return record.run.id
        return None

    def next_start(self, request: ImportRequest) -> SourceCursor | None:
        """The cursor at which the last finished import of the same request lets the next one start."""
        done = [one for one in self._same(request) if one.status is ImportStatus.DONE]
        return done[-1].run.next_start if done else None

    def begin(self, request: ImportRequest, start: SourceCursor | None = None) -> int | None:
        """Insert a running import; None when its unique key is taken."""
        keys = {one.request.unique_key for one in self._tables.imports.values()} - {None}
        if request.unique_key in keys:
            return None
        import_id = self._tables.next_id()
        self._tables.imports[import_id] = StoredImport(
            ImportRun(import_id, following=start, total=request.total), request, active_at=self._tables.now
        )
        return import_id

    def reopen(self, import_id: int) -> None:
        """Let an import run again."""
        record = self._tables.imports[import_id]
        record.waits = record.waits and record.status is ImportStatus.RUNNING
        record.status, record.note, record.ended_at = ImportStatus.RUNNING, None, None

    def fail_abandoned(self, source_id: int, note: str) -> None:
        """End the running imports into a source that no process works on and no job will continue."""
        for import_id, record in self._tables.imports.items():
            running = record.status is ImportStatus.RUNNING and record.request.source_id == source_id
            if running and import_id not in self._held and not self._has_job(import_id):
                self.end(import_id, ImportStatus.FAILED, note)

    def end(self, import_id: int, status: ImportStatus, note: str | None = None) -> None:
        """Write how an import ended."""
        record = self._tables.imports[import_id]
        record.status, record.note, record.ended_at = status, note, self._tables.next_id()

    def write_summary(self, import_id: int, summary: JsonObject) -> None:
        """Keep the summary of a file."""
        self._tables.imports[import_id].summary = dict(summary)

    def note_waiting(self, import_id: int, patience: float) -> bool:
        """Write that an import waits; it has waited in vain when it waited before and there is no patience."""
        record = self._tables.imports[import_id]
        waited, record.waits, record.active_at = record.waits, True, self._tables.now
        return waited and not patience

    def add_page(self, import_id: int, rows: Sequence[RowVerdict], without_photo: int) -> None:
        """Write the verdicts of the next rows, count them and move the cursor."""
        if not rows:
            return
        record = self._running(import_id, rows[0].number - 1)
        verdicts = record.run.verdicts.copy()
        verdicts.update(row.verdict for row in rows)
        without_photo += record.run.without_photo
        record.run = replace(record.run, row=rows[-1].number, verdicts=verdicts, without_photo=without_photo)
        self._tables.import_rows.update({(import_id, row.number): row for row in rows})

    def advance(self, run: ImportRun) -> None:
        """Write the progress of a run and its source's cursor."""
        record = self._running(run.id, run.row)
        record.run = replace(run, verdicts=record.run.verdicts, without_photo=record.run.without_photo)
        record.waits, record.active_at = False, self._tables.now

    def restart(self, import_id: int) -> ImportRun:
        """Forget the verdicts and the cursor of a run."""
        record = self._tables.imports[import_id]
        if record.status is not ImportStatus.RUNNING:
            raise Conflict(f"import {import_id} is not running any more")
        record.run, record.active_at = ImportRun(import_id), self._tables.now
        for key in [key for key in self._tables.import_rows if key[0] == import_id]:
            del self._tables.import_rows[key]
        return record.run

    def add_encoded_rows(
        self, source_id: int, import_id: int, rows: EncodedRows, following: SourceCursor | None = None
    ) -> PageCounts:
        """Not faked: the encoding belongs to the database."""
        raise NotImplementedError

    def _same(self, request: ImportRequest) -> list[StoredImport]:
        same = (request.source_id, request.fingerprint)
        return [
            one for one in self._tables.imports.values() if (one.request.source_id, one.request.fingerprint) == same
        ]

    def _has_job(self, import_id: int) -> bool:
        jobs = [job for job in self._tables.jobs.values() if job.kind is JobKind.COLLECT and job.state in OPEN_STATES]
        return any(job.payload.get("import_id") == import_id for job in jobs)

    def _stored(self, record: StoredImport) -> ImportRecord:
        kept = sum(owner == record.run.id for owner, _ in self._tables.import_rows)
        request = record.request
        return ImportRecord(
            record.run, request.source_id, record.status, request.database, request.query, kept == record.run.row
        )

    def _running(self, import_id: int, row: int) -> StoredImport:
        record = self._tables.imports.get(import_id)
        if record is None or record.status is not ImportStatus.RUNNING or record.run.row != row:
            raise Conflict(f"import {import_id} is not at row {row}: another process continues it")
        return record


class MemoryImportDifferences:
    """Implements ``pipeline.ports.repositories.ImportDifferenceRepository``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def record(self, import_id: int) -> None:
        """Keep the rows of the former import that vanished, and the rows that came back."""
        former = self._former(import_id)
        if former is None or len(self._rows(former.run.id)) != former.run.row:
            return
        record = self._tables.imports[import_id]
        met = {row.external_id for row in self._rows(import_id)}
        before = {row.external_id for row in self._rows(former.run.id)}
        record.vanished = [row for row in self._rows(former.run.id) if _accepted(row) and row.external_id not in met]
        once_vanished = {
            row.external_id
            for other in self._tables.imports.values()
            if self._same(other, record) and other.run.id < import_id
            for row in other.vanished or ()
        }
        record.came_back = [
            row
            for row in self._rows(import_id)
            if _accepted(row) and row.external_id in once_vanished and row.external_id not in before
        ]

    def vanished_products(self, import_id: int) -> VanishedProducts:
        """What an import tells about vanished products."""
        record = self._tables.imports.get(import_id)
        if record is None:
            raise NotFound(f"there is no import {import_id}")
        former = self._former(import_id)
        later = [one.run.id for one in self._complete(record) if one.run.id > import_id]
        return VanishedProducts(
            import_id,
            None if record.vanished is None else len(record.vanished),
            None if former is None else former.run.id,
            0 if former is None else former.run.accepted,
            max(later, default=None),
        )

    def withdrawable(self, import_id: int, after: int, limit: int) -> Sequence[VanishedListing]:
        """The next listings of vanished products that may be withdrawn."""
        witnesses = self._witnesses(import_id)
        found = []
        for row in self._tables.imports[import_id].vanished or ():
            listing = self._tables.listings.get(row.listing_id or 0)
            if listing is None or listing.withdrawn or row.number <= after:
                continue
            met_since = any(
                verdict.listing_id == listing.id and owner in witnesses
                for (owner, _), verdict in self._tables.import_rows.items()
            )
            if not met_since and (listing.revision_id or 0) < import_id:
                found.append(VanishedListing(row.number, listing.id))
        return found[:limit]

    def count_not_withdrawn(self, import_id: int) -> int:
        """How many listings of vanished products are not withdrawn."""
        vanished = [
            self._tables.listings.get(row.listing_id or 0) for row in self._tables.imports[import_id].vanished or ()
        ]
        return sum(listing is not None and not listing.withdrawn for listing in vanished)

    def _witnesses(self, import_id: int) -> set[int]:
        """Imports that met products since, and the last finished import of each other query."""
        record = self._tables.imports[import_id]
        others = {
            one.run.id: one
            for one in self._tables.imports.values()
            if one.request.source_id == record.request.source_id and one is not record
        }
        since = {one for one, other in others.items() if other.ended_at is None or other.ended_at >= import_id}
        last = {
            other.request.fingerprint: one
            for one, other in others.items()
            if other.request.query is not None
            and other.request.fingerprint != record.request.fingerprint
            and other.status is ImportStatus.DONE
        }
        return since | set(last.values())

    def _rows(self, import_id: int) -> list[RowVerdict]:
        return [row for (owner, _), row in sorted(self._tables.import_rows.items()) if owner == import_id]

    def _same(self, one: StoredImport, other: StoredImport) -> bool:
        return (one.request.source_id, one.request.fingerprint) == (other.request.source_id, other.request.fingerprint)

    def _complete(self, record: StoredImport) -> list[StoredImport]:
        return [
            one
            for one in self._tables.imports.values()
            if self._same(one, record) and one.status is ImportStatus.DONE and one.run.complete
        ]

    def _former(self, import_id: int) -> StoredImport | None:
        record = self._tables.imports[import_id]
        complete = self._complete(record)
        if record.request.query is None or record not in complete:
            return None
        return max((one for one in complete if one.run.id < import_id), key=lambda one: one.run.id, default=None)


class MemoryImportLock:
    """Implements ``pipeline.ports.repositories.ImportLock``."""

    def __init__(self, held: set[int]) -> None:
        self._held = held
        self._own: set[int] = set()

    def acquire(self, import_id: int) -> None:
        """Hold an import; Conflict when another lock does."""
        if import_id in self._held - self._own:
            raise Conflict(f"this import is already running, as import {import_id}; wait for it")
        self._own.add(import_id)
        self._held.add(import_id)

    def release(self, import_id: int) -> None:
        """Let go of an import."""
        self._own.discard(import_id)
        self._held.discard(import_id)

    def close(self) -> None:
        """Let go of everything."""
        self._held -= self._own


@contextmanager
def open_memory_lock(held: set[int]) -> Iterator[MemoryImportLock]:
    """A lock whose imports are free when the block ends."""
    lock = MemoryImportLock(held)
    try:
        yield lock
    finally:
        lock.close()


def _accepted(row: RowVerdict) -> bool:
    return row.verdict not in (Verdict.REJECTED, Verdict.VARIANT)
