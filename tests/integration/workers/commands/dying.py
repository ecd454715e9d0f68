"""A command whose process is killed with -9 at a chosen moment of an import, or meets Ctrl-C or a lost database there.

``python -m tests.integration.workers.commands.dying MOMENT ROW import FILE …``: MOMENT is a name below, ROW the number
of the row (the last of a page, or one before it) at which it comes.
"""

from __future__ import annotations

import os
import signal
import sys

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from infra.store.imports.repository import SqlImports
from infra.store.unit_of_work import SqlUnitOfWork
from workers import cli
from workers.commands import import_file

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
    add_page, commit, write_verdicts = SqlImports.add_page, SqlUnitOfWork.commit, import_file.write_verdicts
    reached = False

    def adding(self, import_id, rows, without_photo):
        nonlocal reached
        reached = rows[-1].number >= row
        if reached and moment == "before the verdicts":
            die()
        if reached and moment == CTRL_C:
            raise KeyboardInterrupt
        if reached and moment == DATABASE_LOSS:
            lose_the_database(self._connection)
        add_page(self, import_id, rows, without_photo)

    def committing(self):
        if reached and moment == "before the commit":
            die()
        commit(self)
        if reached and moment == "after the commit":
            die()

    def writing(*words):
        if moment == "before the file":
            die()
        write_verdicts(*words)
        if moment == "before the end":
            die()

    SqlImports.add_page, SqlUnitOfWork.commit, import_file.write_verdicts = adding, committing, writing


if __name__ == "__main__":
    prepare(sys.argv[1], int(sys.argv[2]))
    del sys.argv[1:3]
    cli.main()
