"""Commands about the state of a stack: status (what runs and waits) and doctor (what is wrong and what to do)."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import typer

from pipeline.domain.errors import InvalidInput, TransientFailure
from workers.bootstrap import WorkerContext, build, settings_of
from workers.commands.stack import home_of
from workers.commands.terminal import AsJson, say
from workers.doctor_checks import (
    DoctorCheck,
    check_database,
    check_dependencies,
    check_machine,
    check_stack,
    check_weights,
)
from workers.status import MEGABYTE, ActiveModelReport, DatabaseReport, StackReport, read_database, read_stack


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(doctor)


def find_context() -> WorkerContext | None:
    """The context of this environment; None when it names neither a stack nor a database."""
    try:
        return build(settings_of(os.environ), application="rayon status", pooled=False)
    except InvalidInput:
        if os.environ.get("DATABASE_URL"):
            raise
        return None


def status(*, as_json: AsJson = False) -> None:
    """Show what runs, what waits, what was decided, and which workers are there."""
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
        say(line)
    if problem:
        say(problem)


def doctor(*, as_json: AsJson = False) -> None:
    """Check everything that may go wrong and say what to do about it; exit code 1 when something is wrong."""
    checks = list(_checks())
    wrong = [check for check in checks if check.good is False]
    if as_json:
        print(json.dumps({"good": not wrong, "checks": [asdict(check) for check in checks]}, indent=1))
    else:
        for check in checks:
            mark = {True: "ok", False: "WRONG", None: "note"}[check.good]
            say(f"{mark:>5}  {check.name}: {check.found}")
            if check.good is False and check.remedy:
                say(f"       what to do: {check.remedy}")
        say(f"\n{len(wrong)} of {len(checks)} checks found something wrong" if wrong else "\nall is well")
    sys.exit(1 if wrong else 0)


def _checks() -> Iterator[DoctorCheck]:
    yield from check_machine(home_of())
    if not os.environ.get("DATABASE_URL"):
        yield from check_stack(home_of())
    context = find_context()
    if context is None:
        return
    yield from check_database(context)
    yield from check_dependencies(context)
    yield from check_weights(context)


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
        speed = f"{seconds * 1000:.0f} ms a listing" if seconds else "speed not known yet"
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
    """A length of time in the largest unit that fits."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
