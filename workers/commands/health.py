"""Commands that tell how it goes: status (what runs and waits) and doctor (what is wrong and what to do)."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.domain.errors import InvalidInput
from workers.bootstrap import WorkerContext, build, settings_of
from workers.commands.terminal import say
from workers.doctor_checks import DoctorCheck, check_machine, check_parts, check_record, check_stack, check_weights
from workers.status import MEGABYTE, read_record, read_stack

AsJson = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(doctor)


def home_of() -> Path:
    """RAYON_HOME, by default ``var`` in the working folder."""
    return Path(os.environ.get("RAYON_HOME") or "var").resolve()


def house_of() -> WorkerContext | None:
    """The house of this environment; None when neither a stack nor a database is known."""
    try:
        return build(settings_of(os.environ), application="rayon status", pooled=False)
    except InvalidInput:
        if os.environ.get("DATABASE_URL"):
            raise
        return None


def status(as_json: AsJson = False) -> None:
    """What runs, what waits, what was decided, and who works."""
    context = house_of()
    stack = None if os.environ.get("DATABASE_URL") else read_stack(home_of())
    record = None if context is None else read_record(context)
    if as_json:
        print(json.dumps({"stack": stack, "record": record}, indent=1, default=str))
        return
    for line in (*_stack_lines(stack), *_record_lines(record)):
        say(line)


def doctor(as_json: AsJson = False) -> None:
    """Look at everything that may go wrong and say what to do; exit code 1 when something is."""
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
    context = house_of()
    if context is None:
        return
    yield from check_record(context)
    yield from check_parts(context)
    yield from check_weights(context)


def _stack_lines(stack: dict[str, Any] | None) -> Iterator[str]:
    if stack is None:
        return
    if not stack["alive"]:
        yield f"nothing runs in {stack['home']}; start it with: rayon up"
        return
    yield f"Rayon in {stack['home']} is {stack['state']} at {stack['address']}"
    for service in stack["services"]:
        memory = f"{service['memory'] / MEGABYTE:5.0f} MB" if service["memory"] else " " * 8
        since = f"since {_span(time.time() - service['since'])}"
        restarts = f", started again {service['restarts']} times" if service["restarts"] else ""
        ended = f" (last end: {service['last_exit']})" if service["restarts"] else ""
        yield f"  {service['name']:<20} {service['state']:<9} {memory}  {since}{restarts}{ended}"


def _record_lines(record: dict[str, Any] | None) -> Iterator[str]:
    if record is None:
        return
    if "problem" in record:
        yield record["problem"]
        return
    listings = record["listings"]
    yield "listings: " + ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in listings.items())
    for row in record["jobs"]:
        oldest = f", the oldest for {_span(row['oldest_seconds'])}" if row["oldest_seconds"] >= 1 else ""
        yield f"  {row['priority']:<12} {row['waiting']} waiting{oldest}, {row['sent']} sent, {row['leased']} leased"
    for run in record["runs"]:
        yield f"  {run['kind']} (job {run['id']}) is {run['state']}: {run['progress']:.0%} {run['note']}"
    yield f"dead letters: {record['dead_letters']}"
    for worker in record["workers"]:
        speed = worker["seconds_per_listing"]
        told = f"{speed * 1000:.0f} ms a listing" if speed else "no speed yet"
        yield f"worker {worker['name']} on {worker['queue']}: {told}, {(worker['memory'] or 0) / MEGABYTE:.0f} MB"
    if not record["workers"]:
        yield "no worker has been seen lately"
    for model in record["models"]:
        yield f"model of {model['taxonomy']}: version {model['number']} (id {model['id']})"
        if model["problem"]:
            yield f"  this version of Rayon cannot read it, and its listings wait: {model['problem']}"
            yield f"  what to do: {model['remedy']}"
    if not record["models"]:
        yield "no model yet"
    if record["weights"] is not None:
        there = ", ".join(name for name, here in record["weights"].items() if here) or "none"
        absent = ", ".join(name for name, here in record["weights"].items() if not here)
        yield f"weights: {there}" + (f" (absent: {absent})" if absent else "")


def _span(seconds: float) -> str:
    """A length of time in the unit that suits it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
