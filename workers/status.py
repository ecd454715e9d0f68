"""How things stand, as plain records: the services of the embedded stack, and what the database tells."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.exc import SQLAlchemyError

from infra.embedded.stack import read_status
from infra.embedded.stale_processes import session_members
from infra.store.jobs.queries import Backlog, open_runs, read_backlog
from infra.store.listings.page_queries import count_by_status
from infra.store.models.queries import active_models
from pipeline.domain import extractors
from pipeline.domain.errors import TransientFailure
from pipeline.domain.job import Priority
from workers.bootstrap import WorkerContext

MEGABYTE = 1_000_000
STATES = ("waiting", "sent", "leased")


def read_stack(home: Path) -> dict[str, Any]:
    """The supervisor and its services with restarts, last change (seconds since the epoch) and memory (bytes)."""
    status = read_status(home)
    if status is None or not status.alive:
        return {"home": str(home), "alive": False, "state": "stopped", "address": None, "services": []}
    services = [
        {
            "name": service.name,
            "state": service.state,
            "pid": service.pid,
            "since": service.since,
            "restarts": service.restarts,
            "last_exit": service.last_exit,
            "memory": memory_of(service.pid, service.started),
        }
        for service in status.services
    ]
    return {
        "home": str(home),
        "alive": True,
        "state": status.state,
        "address": status.address,
        "since": status.started,
        "memory": _unique(psutil.Process(status.pid)),
        "services": services,
    }


def memory_of(pid: int | None, started: float | None) -> int | None:
    """Bytes that a service and its children hold for themselves (USS); None when it does not run."""
    if pid is None or started is None:
        return None
    return sum(_unique(process) for process in session_members(pid, started))


def _unique(process: psutil.Process) -> int:
    """Unique set size; where another user's is hidden from us, nothing is counted."""
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().uss)
    return 0


def read_record(context: WorkerContext) -> dict[str, Any]:
    """Jobs by priority, listings by status, dead letters, workers, models; ``problem`` when it cannot be read."""
    try:
        with context.engine.connect() as connection:
            backlog = read_backlog(connection, context.settings.worker_timeout)
            return {
                "listings": count_by_status(connection),
                "jobs": [_of_priority(backlog, priority) for priority in Priority],
                "runs": open_runs(connection),
                "dead_letters": backlog.dead_letters,
                "workers": backlog.workers,
                "models": [asdict(model) | {"remedy": model.remedy()} for model in active_models(connection)],
                "weights": read_weights(context),
            }
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        return {"problem": f"the database tells nothing: {reason}; see 'rayon doctor'"}


def read_weights(context: WorkerContext) -> dict[str, bool] | None:
    """Of every extractor that takes weights, whether they are there; None when the storage does not tell."""
    with contextlib.suppress(TransientFailure):
        available = context.registry.available_weights()
        return {row.name: row.name in available for row in extractors.EXTRACTORS if row.takes_weights}
    return None


def _of_priority(backlog: Backlog, priority: Priority) -> dict[str, Any]:
    rows = [row for row in backlog.open_jobs if row["kind"] == "categorise" and row["priority"] == priority]
    counts = {state: sum(row["count"] for row in rows if row["state"] == state) for state in STATES}
    return {"priority": priority.value, **counts, "oldest_seconds": backlog.oldest.get(priority, 0.0)}
