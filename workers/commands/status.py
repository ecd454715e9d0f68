"""The command that shows the status of an installation: services, jobs, workers and models."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psutil
import typer
from sqlalchemy.exc import SQLAlchemyError

from infra.embedded.processes import session_members
from infra.embedded.stack import read_status
from infra.store.jobs.queries import Backlog, OpenLongJob, WorkerStatus, open_long_jobs, read_backlog
from infra.store.listings.queries import count_by_status
from infra.store.models import active_models
from pipeline.domain import extractors
from pipeline.domain.errors import TransientFailure
from pipeline.domain.job import JobKind, JobState, Priority
from workers.bootstrap import WorkerContext
from workers.commands.command_context import find_context
from workers.commands.stack import home_of
from workers.commands.terminal import AsJson, print_line

MEGABYTE = 1_000_000


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """A service of the embedded stack; ``since`` is the time of its last change of state, in seconds since the epoch.

    ``memory`` is in bytes, None if the service is not running.
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
    """The embedded stack of a home; ``since`` is its start, in seconds since the epoch; ``memory`` its supervisor's."""

    home: str
    alive: bool
    state: str
    address: str | None = None
    since: float | None = None
    memory: int | None = None
    services: tuple[ServiceReport, ...] = ()


@dataclass(frozen=True, slots=True)
class PriorityReport:
    """The open categorise jobs of a priority, and how long the oldest one has been due."""

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
    """Listings, jobs, workers and models in the database; ``runs`` are the open long jobs.

    ``weights`` has for each extractor whether its weights are installed; None if the storage does not answer.
    """

    listings: Mapping[str, int]
    jobs: list[PriorityReport]
    runs: list[OpenLongJob]
    dead_letters: int
    workers: list[WorkerStatus]
    models: list[ActiveModelReport]
    weights: Mapping[str, bool] | None


def read_stack(home: Path) -> StackReport:
    """Read the status of the supervisor and its services, with restarts and memory."""
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
        memory=_unique_memory(psutil.Process(status.pid)),
        services=services,
    )


def memory_of(pid: int | None, started: float | None) -> int | None:
    """The unique set size of a service and its children, in bytes; None if it is not running."""
    if pid is None or started is None:
        return None
    return sum(_unique_memory(process) for process in session_members(pid, started))


def _unique_memory(process: psutil.Process) -> int:
    """Unique set size in bytes; 0 when the process belongs to another user and hides it."""
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().uss)
    return 0


def read_database(context: WorkerContext) -> DatabaseReport:
    """Read the status from the database; TransientFailure when it does not answer."""
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
                    ActiveModelReport(
                        model.taxonomy, model.id, model.number, model.promoted_at, model.problem, model.remedy()
                    )
                    for model in active_models(connection)
                ],
                weights=read_weights(context),
            )
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise TransientFailure(f"the database does not answer: {reason}; see 'rayon doctor'") from error


def read_weights(context: WorkerContext) -> dict[str, bool] | None:
    """For each extractor that takes weights, whether they are installed; None if the storage does not answer."""
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


def status(*, as_json: AsJson = False) -> None:
    """Show running workers, waiting jobs and decisions."""
    context = find_context()
    stack = None if os.environ.get("DATABASE_URL") else read_stack(home_of())
    database, problem = None, None
    try:
        database = None if context is None else read_database(context)
    except TransientFailure as failure:
        problem = str(failure)
    if as_json:
        record = {"problem": problem} if problem else database and asdict(database)
        print(json.dumps({"stack": stack and asdict(stack), "record": record}, indent=1, default=str))
        return
    for line in (*_stack_lines(stack), *_database_lines(database)):
        print_line(line)
    if problem:
        print_line(problem)


def _stack_lines(stack: StackReport | None) -> Iterator[str]:
    if stack is None:
        return
    if not stack.alive:
        yield f"nothing runs in {stack.home}; start it with: rayon up"
        return
    yield f"Rayon in {stack.home} is {stack.state} at {stack.address}"
    for service in stack.services:
        memory = f"{service.memory / MEGABYTE:5.0f} MB" if service.memory else " " * 8
        since = f"since {_duration(time.time() - service.since)}"
        restarts = f", restarted {service.restarts} times (last end: {service.last_exit})" if service.restarts else ""
        yield f"  {service.name:<20} {service.state:<9} {memory}  {since}{restarts}"


def _database_lines(database: DatabaseReport | None) -> Iterator[str]:
    if database is None:
        return
    yield "listings: " + ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in database.listings.items())
    for jobs in database.jobs:
        oldest = f", the oldest for {_duration(jobs.oldest_seconds)}" if jobs.oldest_seconds >= 1 else ""
        yield f"  {jobs.priority:<12} {jobs.waiting} waiting{oldest}, {jobs.sent} sent, {jobs.leased} leased"
    for job in database.runs:
        yield f"  {job.kind} (job {job.id}) is {job.state}: {job.progress:.0%} {job.note}"
    yield f"dead letters: {database.dead_letters}"
    for worker in database.workers:
        seconds = worker.seconds_per_listing
        speed = f"{seconds * 1000:.0f} ms per listing" if seconds else "speed not known yet"
        yield f"worker {worker.name} on {worker.queue}: {speed}, {(worker.memory or 0) / MEGABYTE:.0f} MB"
    if not database.workers:
        yield "no worker is alive"
    yield from _model_lines(database.models)
    if database.weights is not None:
        present = ", ".join(name for name, is_there in database.weights.items() if is_there) or "none"
        absent = ", ".join(name for name, is_there in database.weights.items() if not is_there)
        yield f"weights: {present}" + (f" (absent: {absent})" if absent else "")


def _model_lines(models: Sequence[ActiveModelReport]) -> Iterator[str]:
    for model in models:
        yield f"model of {model.taxonomy}: version {model.number} (id {model.id})"
        if model.problem:
            yield f"  this version of Rayon cannot read it, and its listings wait: {model.problem}"
            yield f"  what to do: {model.remedy}"
    if not models:
        yield "no model yet"


def _duration(seconds: float) -> str:
    """A duration in the largest unit of which it has at least two."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
