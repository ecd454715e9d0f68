"""The status of a stack: its services, and the jobs, listings, workers and models in the database."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
from sqlalchemy.exc import SQLAlchemyError

from infra.embedded.processes import session_members
from infra.embedded.stack import read_status
from infra.store.jobs.queries import Backlog, OpenLongJob, WorkerStatus, open_long_jobs, read_backlog
from infra.store.listings.queries import count_by_status
from infra.store.models.queries import active_models
from pipeline.domain import extractors
from pipeline.domain.errors import TransientFailure
from pipeline.domain.job import JobKind, JobState, Priority
from workers.bootstrap import WorkerContext

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """A service of the embedded stack; ``since`` its last change of state, in seconds since the epoch.

    ``memory`` is in bytes, None when the service does not run.
    """

    name: str
    state: str
    pid: int | None
    since: float
    restarts: int
    last_exit: str | None
    memory: int | None


@dataclass(frozen=True, slots=True)
class StackReport:
    """The embedded stack of a home; ``since`` its start, in seconds since the epoch, ``memory`` its supervisor's."""

    home: str
    alive: bool
    state: str
    address: str | None = None
    since: float | None = None
    memory: int | None = None
    services: tuple[ServiceReport, ...] = ()


@dataclass(frozen=True, slots=True)
class PriorityReport:
    """The open categorisations of a priority, and how long the oldest one has been due."""

    priority: Priority
    waiting: int
    sent: int
    leased: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class ActiveModelReport:
    """The active model of a taxonomy; ``problem`` says why this version of Rayon cannot read it."""

    taxonomy: str
    id: int
    number: int
    promoted_at: datetime | None
    problem: str | None
    remedy: str


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """What the database says. ``runs`` are the open long jobs.

    ``weights`` says by extractor whether its weights are there; None when the storage does not answer.
    """

    listings: Mapping[str, int]
    jobs: list[PriorityReport]
    runs: list[OpenLongJob]
    dead_letters: int
    workers: list[WorkerStatus]
    models: list[ActiveModelReport]
    weights: Mapping[str, bool] | None


def read_stack(home: Path) -> StackReport:
    """The supervisor and its services with restarts and memory."""
    status = read_status(home)
    if status is None or not status.alive:
        return StackReport(str(home), alive=False, state="stopped")
    services = tuple(
        ServiceReport(
            name=service.name,
            state=service.state,
            pid=service.pid,
            since=service.since,
            restarts=service.restarts,
            last_exit=service.last_exit,
            memory=memory_of(service.pid, service.started),
        )
        for service in status.services
    )
    return StackReport(
        home=str(home),
        alive=True,
        state=status.state,
        address=status.address,
        since=status.started,
        memory=_own_memory(psutil.Process(status.pid)),
        services=services,
    )


def memory_of(pid: int | None, started: float | None) -> int | None:
    """Bytes that a service and its children hold for themselves (USS); None when it does not run."""
    if pid is None or started is None:
        return None
    return sum(_own_memory(process) for process in session_members(pid, started))


def _own_memory(process: psutil.Process) -> int:
    """Unique set size in bytes; 0 when the process belongs to another user and hides it."""
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().uss)
    return 0


def read_database(context: WorkerContext) -> DatabaseReport:
    """What the database says; TransientFailure when it cannot be read."""
    try:
        with context.engine.connect() as connection:
            backlog = read_backlog(connection, context.settings.worker_timeout)
            return DatabaseReport(
                listings=count_by_status(connection),
                jobs=[_report_priority(backlog, priority) for priority in Priority],
                runs=open_long_jobs(connection),
                dead_letters=backlog.dead_letters,
                workers=backlog.workers,
                models=[
                    ActiveModelReport(m.taxonomy, m.id, m.number, m.promoted_at, m.problem, m.remedy())
                    for m in active_models(connection)
                ],
                weights=read_weights(context),
            )
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise TransientFailure(f"the database does not answer: {reason}; see 'rayon doctor'") from error


def read_weights(context: WorkerContext) -> dict[str, bool] | None:
    """For each extractor that takes weights, whether they are there; None when the storage does not answer."""
    with contextlib.suppress(TransientFailure):
        available = context.registry.available_weights()
        return {spec.name: spec.name in available for spec in extractors.EXTRACTORS if spec.takes_weights}
    return None


def _report_priority(backlog: Backlog, priority: Priority) -> PriorityReport:
    counts = {
        group.state: group.count
        for group in backlog.open_jobs
        if group.kind is JobKind.CATEGORISE and group.priority is priority
    }
    return PriorityReport(
        priority=priority,
        waiting=counts.get(JobState.WAITING, 0),
        sent=counts.get(JobState.SENT, 0),
        leased=counts.get(JobState.LEASED, 0),
        oldest_seconds=backlog.oldest.get(priority, 0.0),
    )
