"""A command whose process is killed with -9 at a chosen moment of an import, or meets Ctrl-C or a lost database there.

``python -m tests.integration.workers.commands.dying MOMENT ROW import FILE …``: MOMENT is a name below, ROW the number
of the row (the last of a page, or one before it) at which it comes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any
from unittest import mock

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from infra.store.imports.repository import SqlImports
from infra.store.unit_of_work import SqlUnitOfWork
from pipeline.domain.import_run import RowVerdict
from workers import cli
from workers.commands import import_file, import_results

MOMENTS = ("before the verdicts", "before the commit", "after the commit", "before the file", "before the end")
CTRL_C, DATABASE_LOSS = "Ctrl-C", "database loss"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lose_the_database(connection: Connection) -> None:
    """End every session of this database but the one that asks for it."""
    with create_engine(connection.engine.url, poolclass=NullPool).connect() as other:
        other.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def prepare(moment: str, row: int) -> None:
    """Let this process die, stop, or lose its database at a moment of the page with this row."""
    add_page, commit, write_verdicts = SqlImports.add_page, SqlUnitOfWork.commit, import_results.write_verdicts
    reached = False

    def adding(self: SqlImports, import_id: int, rows: Sequence[RowVerdict], without_photo: int) -> None:
        nonlocal reached
        reached = rows[-1].number >= row
        if reached and moment == "before the verdicts":
            die()
        if reached and moment == CTRL_C:
            raise KeyboardInterrupt
        if reached and moment == DATABASE_LOSS:
            lose_the_database(self._connection)
        add_page(self, import_id, rows, without_photo)

    def committing(self: SqlUnitOfWork) -> None:
        if reached and moment == "before the commit":
            die()
        commit(self)
        if reached and moment == "after the commit":
            die()

    def writing(*arguments: Any) -> None:
        if moment == "before the file":
            die()
        write_verdicts(*arguments)
        if moment == "before the end":
            die()

    mock.patch.object(SqlImports, "add_page", adding).start()
    mock.patch.object(SqlUnitOfWork, "commit", committing).start()
    mock.patch.object(import_file, "write_verdicts", writing).start()


if __name__ == "__main__":
    prepare(sys.argv[1], int(sys.argv[2]))
    del sys.argv[1:3]
    cli.main()
