"""Locks of imports: the session of the process that works on an import holds an advisory lock on its id."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from pipeline.domain.errors import Conflict
from pipeline.ports.repositories import ImportLocks

# First half of the key of an import's advisory lock; the second half is the id of the import.
LOCK_CLASS = 0x494D50
# How long the session of a process that was just killed may take to end, in milliseconds.
PATIENCE = 5_000
LOCK_NOT_AVAILABLE = "55P03"

ACQUIRE_LOCK = text("SELECT pg_advisory_lock(:class, :id)")
RELEASE_LOCK = text("SELECT pg_advisory_unlock(:class, :id)")
RELEASE_ALL_LOCKS = text("SELECT pg_advisory_unlock_all()")
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:class, :id)")


class SqlImportLock:
    """Implements ``pipeline.ports.repositories.ImportLock`` on a session of its own."""

    def __init__(self, session: Connection) -> None:
        self._session = session

    def acquire(self, import_id: int) -> None:
        """Hold an import until the session ends; Conflict when another process holds it.

        The session of a process that died a moment ago is waited for.
        """
        try:
            with self._session.begin():
                self._session.execute(text(f"SET LOCAL lock_timeout = {PATIENCE}"))
                self._session.execute(ACQUIRE_LOCK, {"class": LOCK_CLASS, "id": import_id})
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                raise
            raise Conflict(f"this very import runs right now, as import {import_id}; wait for it") from error

    def release(self, import_id: int) -> None:
        """Let go of an import."""
        with self._session.begin():
            self._session.execute(RELEASE_LOCK, {"class": LOCK_CLASS, "id": import_id})


def import_locks(engine: Engine) -> ImportLocks:
    """Locks of imports in this database."""
    return partial(_open_lock, engine)


def is_held(connection: Connection, import_id: int) -> bool:
    """Whether a process works on an import; if not, none can start to before this transaction ends."""
    return not connection.scalar(TRY_LOCK, {"class": LOCK_CLASS, "id": import_id})


@contextmanager
def _open_lock(engine: Engine) -> Iterator[SqlImportLock]:
    session = engine.connect()
    try:
        yield SqlImportLock(session)
    finally:
        # At once, where that is possible: a session that is told to end keeps its locks for a moment longer.
        with suppress(SQLAlchemyError):
            session.execute(RELEASE_ALL_LOCKS)
        # Not back to the pool: the session must end, and its locks with it.
        session.invalidate()
        session.close()
