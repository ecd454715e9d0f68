"""Asking for an import from a product database: the one that runs, the one that stopped, or a new one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, text

from infra.store.import_runs import CARRIED, LAST_QUERY, REOPEN, begin_import, hold_source, is_free, open_wanted
from pipeline.domain.run import ImportRun
from pipeline.domain.source import ProductQuery

SAME = text(
    f"""
    SELECT id, {CARRIED} AS carried FROM imports WHERE source_id = :source AND fingerprint = :fingerprint
    AND (status = 'running' OR {CARRIED}) ORDER BY id DESC
    """
)


def wanted_of(source_id: int, database: str, query: ProductQuery, key: str | None = None) -> dict[str, Any]:
    """What ``begin_import`` is to write for a query to a database; ``key`` is unique among imports."""
    return {
        "source": source_id,
        "origin": f"{database}: {query.kind} {query.value}".strip(),
        "total": None,
        "fingerprint": query.fingerprint(database),
        "query": json.dumps({"database": database, **query.as_json()}),
        "key": key,
    }


@contextmanager
def open_collecting(
    engine: Engine, source_id: int, database: str, query: ProductQuery, afresh: bool = False
) -> Iterator[ImportRun]:
    """The import of a query to a database into a source, as ``open_wanted`` opens it."""
    with open_wanted(engine, wanted_of(source_id, database, query), afresh) as run:
        yield run


def in_hand(connection: Connection, wanted: dict[str, Any]) -> int | None:
    """The import of the same that a process is at, or that a job will go on with; None when there is none.

    The caller holds the source's row.
    """
    for row in connection.execute(SAME, wanted).all():
        if row.carried or not is_free(connection, row.id):
            return int(row.id)
    return None


def begin_or_go_on(connection: Connection, wanted: dict[str, Any], afresh: bool) -> tuple[int, bool]:
    """The import to work on, and whether somebody must be told to: False when it is in hand already.

    One of the same that stopped within the last two days goes on, unless ``afresh``. The job that does it is the
    caller's to add, in the same transaction.
    """
    hold_source(connection, wanted["source"])
    running = in_hand(connection, wanted)
    if running is not None:
        return running, False
    last = None if afresh else connection.execute(LAST_QUERY, wanted).first()
    if last is not None and last.kept == last.row:  # else its verdicts were purged
        connection.execute(REOPEN, {"id": last.id})
        return int(last.id), True
    made = begin_import(connection, wanted, afresh)
    assert made is not None  # without a key nothing stands in its way
    return made, True
