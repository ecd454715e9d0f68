"""A Celery worker tells the record that it lives, every two seconds, and says goodbye when it ends on purpose."""

from __future__ import annotations

import logging
from typing import Any

import psutil
from celery import signals
from sqlalchemy.exc import SQLAlchemyError

from infra.settings import Settings
from infra.store.database import open_engine
from infra.store.jobs.workers import announce, leave
from pipeline.domain.job import Queue

log = logging.getLogger(__name__)

ANNOUNCE_EVERY = 2.0


def announce_while_alive(settings: Settings, name: str, role: str, queue: Queue, slots: int) -> None:
    """Let the worker of this process tell of itself once it is ready; call it before the worker starts."""
    # No pool: the parent forks children, and they must not share its connections.
    engine = open_engine(settings.database_url, application=f"rayon {name}", pooled=False)

    def tell() -> None:
        try:
            with engine.begin() as connection:
                announce(connection, name, role, queue, slots, _memory())
        except SQLAlchemyError:
            log.warning("could not tell the record that this worker lives", exc_info=True)

    def ready(sender: Any = None, **_: Any) -> None:
        tell()
        sender.timer.call_repeatedly(ANNOUNCE_EVERY, tell)

    def ended(**_: Any) -> None:
        try:
            with engine.begin() as connection:
                leave(connection, name)
        except SQLAlchemyError:
            log.warning("could not say goodbye to the record", exc_info=True)

    signals.worker_ready.connect(ready, weak=False)
    signals.worker_shutdown.connect(ended, weak=False)


def _memory() -> int:
    """Bytes held by this worker and its children (unique set size: shared pages count once)."""
    parent = psutil.Process()
    total = 0
    for process in (parent, *parent.children(recursive=True)):
        try:
            total += process.memory_full_info().uss
        except psutil.Error:
            continue
    return total
