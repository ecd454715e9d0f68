"""Imports on Postgres: their locks, their cursors and the verdicts on their rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from infra.store.imports import bulk_import
from infra.store.imports.tables import ImportVerdictRow
from infra.store.sql_fragments import (
    SQL_OPEN_STATES,
    notes_json,
    notes_text,
    reason_json,
    reason_text,
    storable_json,
)
from pipeline.domain.errors import Conflict
from pipeline.domain.import_run import (
    EncodedRows,
    ImportRecord,
    ImportRequest,
    ImportRun,
    ImportStatus,
    PageCounts,
    RowVerdict,
)
from pipeline.domain.json_record import JsonObject
from pipeline.domain.product_source import ProductQuery, SourceCursor
from pipeline.domain.verdict import Verdict
from pipeline.ports.repositories import ImportLocks

# First half of the key of an import's advisory lock; the second half is the id of the import.
LOCK_CLASS = 0x494D50
# How long to wait for the session of a process that was just killed to end.
LOCK_TIMEOUT_MS = 5_000
LOCK_NOT_AVAILABLE = "55P03"

ACQUIRE_LOCK = text("SELECT pg_advisory_lock(:class, :id)")
RELEASE_LOCK = text("SELECT pg_advisory_unlock(:class, :id)")
RELEASE_ALL_LOCKS = text("SELECT pg_advisory_unlock_all()")
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:class, :id)")


class SqlImportLock:
    """Implements ``pipeline.ports.repositories.ImportLock`` on a database session of its own."""

    def __init__(self, session: Connection) -> None:
        self._session = session

    def acquire(self, import_id: int) -> None:
        """Lock an import until the session ends; raise Conflict when another process has locked it.

        Waits for the session of a process that has just died to end.
        """
        try:
            with self._session.begin():
                self._session.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
                self._session.execute(ACQUIRE_LOCK, {"class": LOCK_CLASS, "id": import_id})
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                raise
            raise Conflict(f"this import is already running, as import {import_id}; wait for it") from error

    def release(self, import_id: int) -> None:
        """Unlock an import."""
        with self._session.begin():
            self._session.execute(RELEASE_LOCK, {"class": LOCK_CLASS, "id": import_id})


def import_locks(engine: Engine) -> ImportLocks:
    """Locks of imports in this database."""
    return partial(_open_lock, engine)


def is_locked(connection: Connection, import_id: int) -> bool:
    """Whether a process works on an import; if not, none can start before this transaction ends."""
    return not connection.scalar(TRY_LOCK, {"class": LOCK_CLASS, "id": import_id})


@contextmanager
def _open_lock(engine: Engine) -> Iterator[SqlImportLock]:
    session = engine.connect()
    try:
        yield SqlImportLock(session)
    finally:
        # Release the locks at once if possible: a session that is ending keeps them a moment longer.
        with suppress(SQLAlchemyError):
            session.execute(RELEASE_ALL_LOCKS)
        # The session must end, and its locks with it, so it does not go back to the pool.
        session.invalidate()
        session.close()


SELECT_IMPORTS = """
    SELECT id, source_id, status, query, new, changed, unchanged, rejected, variant, without_photo, total,
           coalesce(complete, false) AS complete, cursor,
           coalesce(CAST(cursor ->> 'row' AS integer), 0) AS row,
           (SELECT count(*) FROM import_rows r WHERE r.import_id = imports.id) AS verdict_count
    FROM imports
"""
SELECT_IMPORT = text(f"{SELECT_IMPORTS} WHERE id = :id")
LOCK_IMPORT = text("SELECT id FROM imports WHERE id = :id FOR UPDATE")
# The rows of a file are as old as the file: they must not overwrite what was imported into the source later.
SELECT_INTERRUPTED_FILE = text(
    f"""
    {SELECT_IMPORTS} WHERE id = (SELECT max(id) FROM imports WHERE source_id = :source) AND fingerprint = :fingerprint
    AND status <> 'done'
    """
)
# A page of a product database is as recent as its import, but what was imported days ago is worth reading again.
SELECT_INTERRUPTED_QUERY = text(
    f"""
    {SELECT_IMPORTS} WHERE id = (SELECT max(id) FROM imports WHERE source_id = :source AND fingerprint = :fingerprint)
    AND status <> 'done' AND coalesce(CAST(cursor ->> 'at' AS timestamptz), started_at) > now() - interval '2 days'
    """
)
# Whether a job will continue the import. The condition on listing_id lets Postgres use an index of open jobs only.
HAS_JOB = f"""
    EXISTS (SELECT 1 FROM jobs WHERE kind = 'collect' AND listing_id IS NULL AND state IN {SQL_OPEN_STATES}
            AND (payload ->> 'import_id')::bigint = imports.id)
"""
SELECT_UNFINISHED = text(
    f"""
    SELECT id, {HAS_JOB} AS has_job FROM imports WHERE source_id = :source AND fingerprint = :fingerprint
    AND (status = 'running' OR {HAS_JOB}) ORDER BY id DESC
    """
)
SELECT_WITHOUT_JOB = text(f"SELECT id FROM imports WHERE source_id = :source AND status = 'running' AND NOT {HAS_JOB}")
# The product database's own cursor at which the next import of the query starts, so that it only asks for what changed.
SELECT_NEXT_START = text(
    """
    SELECT cursor -> 'next_time' FROM imports WHERE source_id = :source AND fingerprint = :fingerprint
    AND status = 'done' ORDER BY id DESC LIMIT 1
    """
)
INSERT_IMPORT = text(
    """
    INSERT INTO imports (source_id, origin, status, total, fingerprint, query, collection_id, unique_key, cursor)
    VALUES (:source, :origin, 'running', :total, :fingerprint, CAST(:query AS jsonb),
            (SELECT id FROM collections WHERE source_id = :source AND fingerprint = :fingerprint FOR KEY SHARE), :key,
            CAST(:cursor AS jsonb))
    ON CONFLICT (unique_key) DO NOTHING RETURNING id
    """
)
REOPEN_IMPORT = text(
    """
    UPDATE imports SET status = 'running', ended_at = NULL, note = NULL,
           cursor = CASE WHEN status = 'running' THEN cursor ELSE cursor - 'waits_since' END
    WHERE id = :id
    """
)
# ``waits_since`` keeps the time at which waiting began, until the next page.
NOTE_WAITING = text(
    """
    UPDATE imports SET cursor = jsonb_build_object('waits_since', now()) || cursor || jsonb_build_object('at', now())
    WHERE id = :id RETURNING CAST(cursor ->> 'waits_since' AS timestamptz) < now() - make_interval(secs => :patience)
    """
)
END_IMPORT = text(
    "UPDATE imports SET status = CAST(:status AS run_status), note = :note, ended_at = now() WHERE id = :id"
)
WRITE_SUMMARY = text("UPDATE imports SET summary = CAST(:summary AS jsonb) WHERE id = :id")
COUNT_PAGE = text(
    """
    UPDATE imports SET new = new + :new, changed = changed + :changed, unchanged = unchanged + :unchanged,
           rejected = rejected + :rejected, variant = variant + :variant,
           without_photo = without_photo + :without_photo,
           cursor = cursor || jsonb_build_object('row', CAST(:last AS integer)) || CAST(:cursor AS jsonb)
    WHERE id = :id AND status = 'running' AND coalesce(CAST(cursor ->> 'row' AS integer), 0) = :first - 1
    """
)
ADVANCE_IMPORT = text(
    """
    UPDATE imports SET cursor = cursor - 'waits_since' || jsonb_build_object('at', now()) || CAST(:progress AS jsonb),
           total = coalesce(:total, total), complete = :complete
    WHERE id = :id AND status = 'running' AND coalesce(CAST(cursor ->> 'row' AS integer), 0) = :row
    """
)
RESTART_IMPORT = text(
    """
    UPDATE imports SET new = 0, changed = 0, unchanged = 0, rejected = 0, variant = 0, without_photo = 0, total = NULL,
           cursor = jsonb_build_object('at', now())
    WHERE id = :id AND status = 'running'
    """
)
DELETE_VERDICTS = text("DELETE FROM import_rows WHERE import_id = :id")
SELECT_ACCEPTED_IDS = text(
    "SELECT external_id, number FROM import_rows WHERE import_id = :id AND verdict NOT IN ('rejected', 'variant')"
)


class SqlImports:
    """Implements ``pipeline.ports.repositories.ImportRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self, import_id: int) -> ImportRecord | None:
        """The import, locked; waits for a commit that a process requested before it died."""
        self._connection.execute(LOCK_IMPORT, {"id": import_id})
        row = self._connection.execute(SELECT_IMPORT, {"id": import_id}).first()
        return None if row is None else _import_record(row)

    def find_interrupted(self, request: ImportRequest) -> ImportRecord | None:
        """The latest import of the same request, if it is not done and recent enough to be continued."""
        statement = SELECT_INTERRUPTED_FILE if request.query is None else SELECT_INTERRUPTED_QUERY
        row = self._connection.execute(statement, _request_key(request)).first()
        return None if row is None else _import_record(row)

    def find_in_progress(self, request: ImportRequest) -> int | None:
        """The id of an import of the same request that a process works on or that a job will continue, or None."""
        for row in self._connection.execute(SELECT_UNFINISHED, _request_key(request)).all():
            if row.has_job or is_locked(self._connection, row.id):
                return int(row.id)
        return None

    def next_start(self, request: ImportRequest) -> SourceCursor | None:
        """The cursor at which the next import of the same request starts, according to the latest finished one."""
        cursor: SourceCursor | None = self._connection.scalar(SELECT_NEXT_START, _request_key(request))
        return cursor

    def begin(self, request: ImportRequest, start: SourceCursor | None = None) -> int | None:
        """Insert a running import that starts at a cursor of the source; None when its unique key is taken."""
        query = request.query and {"database": request.database, **request.query.as_json()}
        import_id = self._connection.scalar(
            INSERT_IMPORT,
            {
                **_request_key(request),
                "origin": request.origin,
                "total": request.total,
                "query": query and json.dumps(query),
                "key": request.unique_key,
                "cursor": json.dumps({} if start is None else {"following": start}),
            },
        )
        return None if import_id is None else int(import_id)

    def reopen(self, import_id: int) -> None:
        """Set an import running again."""
        self._connection.execute(REOPEN_IMPORT, {"id": import_id})

    def fail_abandoned(self, source_id: int, note: str) -> None:
        """End, as failed, the running imports into a source that no process works on and no job will continue."""
        for import_id in self._connection.scalars(SELECT_WITHOUT_JOB, {"source": source_id}).all():
            if not is_locked(self._connection, import_id):
                self.end(import_id, ImportStatus.FAILED, note)

    def end(self, import_id: int, status: ImportStatus, note: str | None = None) -> None:
        """Write how an import ended."""
        self._connection.execute(END_IMPORT, {"id": import_id, "status": status, "note": note})

    def write_summary(self, import_id: int, summary: JsonObject) -> None:
        """Write the summary of what was read from a file."""
        self._connection.execute(WRITE_SUMMARY, {"id": import_id, "summary": json.dumps(storable_json(summary))})

    def note_waiting(self, import_id: int, patience: float) -> bool:
        """Record that an import waits for its source; True if it has only waited for more than ``patience`` seconds."""
        return bool(self._connection.scalar(NOTE_WAITING, {"id": import_id, "patience": patience}))

    def add_page(self, import_id: int, rows: Sequence[RowVerdict], without_photo: int) -> None:
        """Write and count the verdicts on the next rows, and move the cursor; Conflict if other rows are next."""
        if not rows:
            return
        counts = PageCounts(Counter(row.verdict for row in rows), without_photo)
        self._count_page(import_id, counts, rows[0].number, rows[-1].number, {})
        self._connection.execute(
            insert(ImportVerdictRow),
            [
                {
                    "import_id": import_id,
                    "number": row.number,
                    "external_id": row.external_id,
                    "listing_id": row.listing_id,
                    "verdict": row.verdict,
                    "reason": reason_text(row.reason),
                    "coded_reason": reason_json(row.reason),
                    "note": notes_text(row.notes),
                    "coded_notes": notes_json(row.notes),
                }
                for row in rows
            ],
        )

    def add_encoded_rows(
        self, source_id: int, import_id: int, rows: EncodedRows, following: SourceCursor | None = None
    ) -> PageCounts:
        """Import a large page at once, see the port; its statements are in ``infra.store.imports.bulk_import``."""
        counts = bulk_import.import_rows(self._connection, source_id, import_id, rows)
        self._count_page(import_id, counts, rows.first, rows.last, {"following": following})
        bulk_import.write_verdicts(self._connection, import_id)
        return counts

    def advance(self, run: ImportRun) -> None:
        """Write the progress of a run and the cursor of its source; Conflict when the import is not at ``run.row``."""
        progress = {"following": run.following, "ended": run.ended, "share": run.share}
        if run.next_start is not None:
            progress["next_time"] = run.next_start
        result = self._connection.execute(
            ADVANCE_IMPORT,
            {
                "id": run.id,
                "row": run.row,
                "progress": json.dumps(progress),
                "total": run.total,
                "complete": run.complete if run.ended else None,
            },
        )
        if result.rowcount != 1:
            raise _not_at_row(run.id, run.row)

    def restart(self, import_id: int) -> ImportRun:
        """Delete the verdicts and the cursor of a run; its listings stay. Conflict when it is not running."""
        if self._connection.execute(RESTART_IMPORT, {"id": import_id}).rowcount != 1:
            raise Conflict(f"import {import_id} is not running any more")
        self._connection.execute(DELETE_VERDICTS, {"id": import_id})
        return ImportRun(import_id)

    def _count_page(
        self,
        import_id: int,
        counts: PageCounts,
        first_row: int,
        last_row: int,
        cursor: Mapping[str, SourceCursor | None],
    ) -> None:
        result = self._connection.execute(
            COUNT_PAGE,
            {
                "id": import_id,
                **{verdict.value: counts.verdicts[verdict] for verdict in Verdict},
                "without_photo": counts.without_photo,
                "first": first_row,
                "last": last_row,
                "cursor": json.dumps(cursor),
            },
        )
        if result.rowcount != 1:
            raise _not_at_row(import_id, first_row - 1)


def accepted_ids(connection: Connection, import_id: int) -> Iterator[tuple[str, int]]:
    """External ids and numbers of the rows that an import accepted, streamed."""
    rows = connection.execution_options(yield_per=5_000).execute(SELECT_ACCEPTED_IDS, {"id": import_id})
    return ((row.external_id, row.number) for row in rows)


def _request_key(request: ImportRequest) -> dict[str, int | str]:
    return {"source": request.source_id, "fingerprint": request.fingerprint}


def _import_record(row: Row[Any]) -> ImportRecord:
    cursor = row.cursor
    run = ImportRun(
        row.id,
        row.row,
        Counter({verdict: getattr(row, verdict.value) for verdict in Verdict}),
        row.without_photo,
        cursor.get("following"),
        bool(cursor.get("ended")),
        row.complete,
        cursor.get("share"),
        row.total,
    )
    database = row.query and row.query["database"]
    query = row.query and ProductQuery.of_json(row.query)
    return ImportRecord(run, row.source_id, ImportStatus(row.status), database, query, row.verdict_count == row.row)


def _not_at_row(import_id: int, row: int) -> Conflict:
    return Conflict(f"import {import_id} is not at row {row}: another process is working on it")
