"""Opening an import: a new one, or the interrupted one of the same file, which goes on where it stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from infra.store.models.arrivals import ImportRow, RunStatus
from pipeline.domain.errors import Conflict
from pipeline.domain.listing import Verdict

# First half of the key of the advisory lock that whoever is at an import holds; the second half is the import's id.
IMPORT_LOCK = 0x494D50
# How long the session of a process that was just killed may take to end, in milliseconds.
PATIENCE = 5_000
INTERRUPTED = "interrupted"

LAST = text(
    """
    SELECT id, status, fingerprint, new, changed, unchanged, rejected, without_photo,
           coalesce(CAST(cursor ->> 'row' AS integer), 0) AS row,
           (SELECT count(*) FROM import_rows r WHERE r.import_id = imports.id) AS kept
    FROM imports WHERE id = (SELECT max(id) FROM imports WHERE source_id = :source)
    """
)
REOPEN = text("UPDATE imports SET status = 'running', ended_at = NULL, note = NULL WHERE id = :id")
RUNNING = text("SELECT id FROM imports WHERE source_id = :source AND status = 'running'")
GIVE_UP = text("UPDATE imports SET status = 'failed', ended_at = now(), note = :note WHERE id = :id")
LOCK = {"class": IMPORT_LOCK}


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import in hand: its id, the number of the last row it has, and the counts up to there."""

    id: int
    row: int
    verdicts: Counter[Verdict]
    without_photo: int


@contextmanager
def open_import(
    engine: Engine, source_id: int, origin: str, total: int | None, fingerprint: str, afresh: bool = False
) -> Iterator[ImportRun]:
    """The import of what ``fingerprint`` tells, held until the block ends so that no other process is at it too.

    The last import into the source goes on when it was of the same and did not end well, unless ``afresh``; anything
    else starts a new one. Raises Conflict when another process is at it.
    """
    connection = engine.connect()
    try:
        with connection.begin():
            run = _open(connection, source_id, origin, total, fingerprint, afresh)
        yield run
    finally:
        # Now, where that can be: a session that is told to end keeps its locks for a moment longer.
        with suppress(SQLAlchemyError):
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
        # Not back to the pool: the session must end, and with it the lock.
        connection.invalidate()
        connection.close()


def _open(
    connection: Connection, source_id: int, origin: str, total: int | None, fingerprint: str, afresh: bool
) -> ImportRun:
    # One at a time chooses what to go on with.
    connection.execute(text("SELECT id FROM sources WHERE id = :id FOR NO KEY UPDATE"), {"id": source_id})
    last = connection.execute(LAST, {"source": source_id}).first()
    if last is not None and not afresh and last.fingerprint == fingerprint and last.status != RunStatus.DONE:
        _seize(connection, last.id)
        # What a process that died a moment ago had already asked the database to commit is waited for.
        connection.execute(text("SELECT id FROM imports WHERE id = :id FOR UPDATE"), {"id": last.id})
        last = connection.execute(LAST, {"source": source_id}).one()
        if last.kept == last.row:  # else its verdicts were purged
            connection.execute(REOPEN, {"id": last.id})
            return _run(last)
    for running in connection.scalars(RUNNING, {"source": source_id}).all():
        if connection.scalar(text("SELECT pg_try_advisory_xact_lock(:class, :id)"), LOCK | {"id": running}):
            connection.execute(GIVE_UP, {"id": running, "note": INTERRUPTED})
    made = connection.execute(
        insert(ImportRow)
        .values(source_id=source_id, origin=origin, status=RunStatus.RUNNING, total=total, fingerprint=fingerprint)
        .returning(ImportRow.id)
    ).scalar_one()
    connection.execute(text("SELECT pg_advisory_lock(:class, :id)"), LOCK | {"id": made})
    return ImportRun(made, 0, Counter(), 0)


def _seize(connection: Connection, import_id: int) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = {PATIENCE}"))
    try:
        connection.execute(text("SELECT pg_advisory_lock(:class, :id)"), LOCK | {"id": import_id})
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != "55P03":  # lock_not_available
            raise
        raise Conflict(f"this very file is being brought in right now, as import {import_id}; wait for it") from error
    connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def _run(row: Row[Any]) -> ImportRun:
    counts = Counter({verdict: getattr(row, verdict.value) for verdict in Verdict})
    return ImportRun(row.id, row.row, counts, row.without_photo)
