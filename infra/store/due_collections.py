"""Standing collections that are due: each begins one import a period, however many processes look."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from infra.store.collections import next_time
from infra.store.import_requests import in_hand, wanted_of
from infra.store.import_runs import begin_import, hold_source
from infra.store.runs import request_collect
from pipeline.domain.source import ProductQuery

log = logging.getLogger(__name__)

DUE = text(
    """
    SELECT id, source_id, database, query, fingerprint, schedule, next_at, now() AS now FROM collections
    WHERE next_at <= now() ORDER BY next_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    """
)
MOVE = text("UPDATE collections SET next_at = :next WHERE id = :id")


def begin_due(engine: Engine) -> list[int]:
    """Begin the runs of all collections that are due, one transaction each; returns the new imports.

    However many processes look at the same time, a period has one run: whoever holds the collection's row moves its
    next time with it. Periods that passed unseen are not made up for, and one whose forerunner still runs is skipped.
    """
    begun: list[int] = []
    while True:
        with engine.begin() as connection:
            due = connection.execute(DUE).first()
            if due is None:
                return begun
            import_id = _begin(connection, due)
            if import_id is not None:
                begun.append(import_id)
            connection.execute(MOVE, {"id": due.id, "next": next_time(due.schedule, due.now)})


def _begin(connection: Connection, due: Row[Any]) -> int | None:
    hold_source(connection, due.source_id)
    query = ProductQuery.of_json(due.query)
    wanted = wanted_of(due.source_id, due.database, query, f"collection:{due.id}:{due.next_at.isoformat()}")
    running = in_hand(connection, wanted)
    if running is not None:
        log.warning("collection %d is due, but its import %d still runs: it is skipped this time", due.id, running)
        return None
    import_id = begin_import(connection, wanted)
    if import_id is not None:
        request_collect(connection, import_id)
        log.info("collection %d is due: import %d", due.id, import_id)
    return import_id
