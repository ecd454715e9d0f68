"""Heartbeat: while a batch is worked on, its leases are renewed from a thread of their own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from pipeline.ports.unit_of_work import UnitsOfWork

log = logging.getLogger(__name__)


@contextmanager
def heartbeat(units: UnitsOfWork, claims: Sequence[tuple[int, int]], lease: float, hard_limit: float) -> Iterator[None]:
    """Renew the leases of (job, attempt) pairs every third of ``lease`` seconds until the block ends."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(lease / 3):
            try:
                with units() as unit:
                    unit.claims.renew(claims, lease, hard_limit)
                    unit.commit()
            except SQLAlchemyError:
                # The database is away: the lease may run out, and the fence then keeps us from writing.
                log.warning("could not renew the leases of %d jobs", len(claims), exc_info=True)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
