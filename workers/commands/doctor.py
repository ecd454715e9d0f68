"""The command that checks an installation: each check reports what it found and how to fix it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

import redis
import typer
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from infra.embedded import servers
from infra.embedded.stack import read_status
from infra.schedules import read_collect_schedule
from infra.storage.weights_fetch_log import WeightsFetchLog
from infra.store import database
from infra.store.jobs.queries import count_living_workers, read_backlog
from infra.store.models import active_models, taxonomies_without_model
from pipeline.domain import extractors
from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.display_text import join_names
from pipeline.domain.errors import InvalidInput, TransientFailure, Unavailable
from pipeline.domain.job import Priority, Queue
from pipeline.domain.product_databases import find_database
from workers.bootstrap import WorkerContext
from workers.commands.command_context import find_context
from workers.commands.stack import home_of
from workers.commands.terminal import AsJson, print_line
from workers.relay import RELAY_LOCK

SUPPORTED_PYTHONS = ((3, 11), (3, 14))
MIN_FREE_BYTES = 2_000_000_000
MAX_CLOCK_SKEW_SECONDS = 5.0
TIMEOUT = 3.0  # seconds


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """The result of a check: ``good`` is None for mere information; ``remedy`` is how to fix a failed check."""

    name: str
    good: bool | None
    found: str
    remedy: str = ""


class WrongConfiguration(Exception):
    """A dependency is not configured, or not as Rayon needs it."""


def check_machine(home: Path) -> Iterator[DoctorCheck]:
    """Check Python, disk space and file permissions."""
    version = sys.version.split()[0]
    fits = SUPPORTED_PYTHONS[0] <= sys.version_info[:2] < SUPPORTED_PYTHONS[1]
    yield DoctorCheck("python", fits, f"Python {version}", "use Python 3.11, 3.12 or 3.13: make PYTHON=… install")
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    remedy = "free some space: Postgres stops when the disk is full"
    yield DoctorCheck("disk", free > MIN_FREE_BYTES, f"{free / 1e9:.1f} GB free for {home}", remedy)
    writable = os.access(existing, os.W_OK | os.X_OK)
    found = f"{existing} {'can' if writable else 'cannot'} be written"
    yield DoctorCheck("home", writable, found, "make this user its owner, or choose another folder with RAYON_HOME")
    secrets = [home / "admin-key", *(home / "run").glob("*.json"), *home.glob("*/password")]
    exposed = [str(file) for file in secrets if file.exists() and file.stat().st_mode & 0o077]
    found = f"others may read {', '.join(exposed)}" if exposed else "only their owner can read the files with secrets"
    yield DoctorCheck("secrets", not exposed, found, f"chmod 600 {' '.join(exposed)}")


def check_stack(home: Path) -> Iterator[DoctorCheck]:
    """Check the embedded stack: its programs, its supervisor and its services."""
    try:
        found = f"Postgres and Redis are installed ({servers.postgres_binaries()}, {servers.redis_binary()})"
        yield DoctorCheck("binaries", good=True, found=found)
    except Unavailable as error:
        yield DoctorCheck("binaries", good=False, found=str(error), remedy="make install")
    status = read_status(home)
    if status is None or not status.alive:
        yield DoctorCheck("stack", good=False, found=f"nothing runs in {home}", remedy="start it: rayon up")
        return
    down = [s for s in status.services if s.state not in ("running", "done")]
    found = ", ".join(f"{s.name} is {s.state} ({s.last_exit or 'no exit yet'})" for s in down)
    remedy = f"read the logs in {home / 'logs'}"
    running = not down and status.state == "running"
    yield DoctorCheck("stack", running, found or f"the stack is {status.state}", remedy)


def check_dependencies(context: WorkerContext) -> Iterator[DoctorCheck]:
    """Check that broker, storage and api answer."""
    yield _probe(
        "broker",
        lambda: _probe_redis(context),
        "start Redis, or check BROKER_URL; accepted listings wait meanwhile",
    )
    yield _probe("storage", lambda: _probe_storage(context), "check STORAGE_URL, its permissions and its disk")
    yield _probe("api", lambda: _probe_api(context), "start it (rayon up, or uvicorn --factory api.app:create_app)")


def check_database(context: WorkerContext) -> Iterator[DoctorCheck]:
    """Check the database, and from its tables relay, workers, backlog, models and the schedule of collections."""
    try:
        with context.engine.connect() as connection:
            yield DoctorCheck("database", good=True, found="the database answers")
            yield from _check_schema(connection)
    except SQLAlchemyError as error:
        found = f"the database does not answer: {str(error.__cause__ or error).strip().splitlines()[0]}"
        yield DoctorCheck("database", good=False, found=found, remedy="start it (rayon up), or check DATABASE_URL")
        return
    try:
        with context.engine.connect() as connection:
            yield from _check_processes(connection, context)
            yield from _check_backlog(connection, context)
            yield from _check_models(connection)
        yield from _check_schedule(context.settings.collect_schedule)
    except SQLAlchemyError:
        yield DoctorCheck("tables", good=False, found="the tables cannot be read", remedy="rayon migrate")


def _check_schema(connection: Connection) -> Iterator[DoctorCheck]:
    current, newest = database.schema_revision(connection), database.newest_revision()
    found = f"the schema is at {current or 'nothing'}; this version of Rayon needs {newest}"
    yield DoctorCheck("schema", current == newest, found, "rayon migrate")
    encoding = database.encoding(connection)
    found = f"the database encodes text as {encoding}; UTF8 is needed"
    yield DoctorCheck("encoding", encoding == "UTF8", found, database.ENCODING_ADVICE)
    skew = database.clock_skew(connection)
    found = f"the clocks of the database and of this machine differ by {abs(skew):.1f} s"
    yield DoctorCheck(
        "clock", abs(skew) < MAX_CLOCK_SKEW_SECONDS, found, "synchronise the clocks of both machines (NTP)"
    )


def _check_processes(connection: Connection, context: WorkerContext) -> Iterator[DoctorCheck]:
    active = database.relay_is_active(connection, RELAY_LOCK)
    found = "a relay is active" if active else "no relay is active: accepted listings wait"
    yield DoctorCheck("relay", active, found, "rayon relay (the embedded stack starts its own)")
    roles = {Queue.TRAINING: "train", Queue.COLLECTING: "collect"}
    for queue in Queue:
        count = count_living_workers(connection, queue, context.settings.worker_timeout)
        role = roles.get(queue, f"serve --queue {queue}")
        found = f"{count} at work on the queue {queue}" if count else f"no worker on the queue {queue}"
        yield DoctorCheck(f"workers {queue}", count > 0, found, f"rayon worker --role {role}")


def _check_backlog(connection: Connection, context: WorkerContext) -> Iterator[DoctorCheck]:
    backlog = read_backlog(connection, context.settings.worker_timeout)
    for priority in (Priority.INTERACTIVE, Priority.PIPELINE, Priority.IMPORT):
        age, limit = backlog.oldest.get(priority, 0.0), getattr(context.settings, f"backlog_limit_{priority}")
        found = f"the oldest {priority} job has waited {age:.0f} s (limit {limit:.0f} s)"
        remedy = "add workers: until then new listings are answered with 429"
        yield DoctorCheck(f"backlog {priority}", age <= limit, found, remedy)
    found, remedy = (
        f"{backlog.dead_letters} jobs failed for good (dead letters)",
        "rayon dead-letters list, then replay",
    )
    yield DoctorCheck("dead letters", backlog.dead_letters == 0, found, remedy)


def _check_models(connection: Connection) -> Iterator[DoctorCheck]:
    without = taxonomies_without_model(connection)
    found = f"no active model for {join_names(without)}" if without else "every taxonomy with listings has a model"
    yield DoctorCheck("models", None if without else True, found, "rayon train")
    for model in active_models(connection):
        if model.problem:
            found = (
                f"this version of Rayon cannot read the active model of {model.taxonomy}: {model.problem}; "
                "its listings wait"
            )
            yield DoctorCheck(f"model of {model.taxonomy}", good=False, found=found, remedy=model.remedy())


def _check_schedule(schedule: str) -> Iterator[DoctorCheck]:
    """Check that beat can use the collections of the setting RAYON_COLLECT_SCHEDULE."""
    try:
        for collection in read_collect_schedule(schedule):
            find_database(collection.database, "")
            found = f"{collection.database} by {collection.query.kind}, schedule '{collection.schedule}'"
            yield DoctorCheck("collection", good=True, found=found)
    except InvalidInput as error:
        remedy = "correct RAYON_COLLECT_SCHEDULE (docs/sources.md) and restart beat"
        yield DoctorCheck("collection", good=False, found=str(error), remedy=remedy)


def check_weights(context: WorkerContext) -> Iterator[DoctorCheck]:
    """Report which extractors have their weights; one without weights is left out of trainings and studies."""
    with contextlib.suppress(TransientFailure):
        available, fetch_log = context.registry.available_weights(), WeightsFetchLog(context.storage)
        for spec in extractors.EXTRACTORS:
            if not spec.takes_weights:
                continue
            failed = fetch_log.failed(spec.name)
            bundled = bundled_weights(spec.name)
            if bundled is not None and context.registry.weights_digest(spec.name) == bundled.sha256:
                found = f"the weights of {spec.name} come with the installation: {bundled}"
            elif spec.name in available:
                found = f"the weights of {spec.name} are installed"
            elif failed is not None:
                found = (
                    f"{failed.reason}; tried again after {datetime.fromtimestamp(failed.next_fetch_at):%Y-%m-%d %H:%M}"
                )
            else:
                command = f"fetch {spec.name}" if spec.published else f"add {spec.name} FILE"
                found = f"the weights of {spec.name} are missing, so it is left out (rayon models {command})"
            yield DoctorCheck(f"weights {spec.name}", None, found)


def _probe(name: str, probe: Callable[[], str], remedy: str) -> DoctorCheck:
    try:
        return DoctorCheck(name, good=True, found=probe(), remedy=remedy)
    except WrongConfiguration as wrong:
        return DoctorCheck(name, good=False, found=str(wrong), remedy=remedy)
    except Exception as error:  # noqa: BLE001  # whatever a client raises must not stop the other checks
        return DoctorCheck(name, good=False, found=f"{name} does not answer: {error}", remedy=remedy)


def _probe_redis(context: WorkerContext) -> str:
    url = context.settings.broker_url
    if not url:
        raise WrongConfiguration("no broker is set (BROKER_URL)")
    with redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT) as client:
        append_only = client.config_get("appendonly").get("appendonly")
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
    found = (
        f"Redis answers; appendonly is {append_only} (expected: yes), maxmemory-policy {policy} (expected: noeviction)"
    )
    if append_only != "yes" or policy != "noeviction":
        raise WrongConfiguration(found)
    return found


def _probe_storage(context: WorkerContext) -> str:
    context.storage.ping()
    return "the storage can be written"


def _probe_api(context: WorkerContext) -> str:
    address = context.settings.public_url
    with urlopen(f"{address}/healthz", timeout=TIMEOUT):  # noqa: S310 - an address from the settings
        return f"the api answers at {address}"


def doctor(*, as_json: AsJson = False) -> None:
    """Check the whole installation and explain how to fix problems; exit code 1 if there are any."""
    checks = list(_checks())
    failed = [check for check in checks if check.good is False]
    if as_json:
        print(json.dumps({"good": not failed, "checks": [asdict(check) for check in checks]}, indent=1))
    else:
        for check in checks:
            mark = {True: "ok", False: "WRONG", None: "note"}[check.good]
            print_line(f"{mark:>5}  {check.name}: {check.found}")
            if check.good is False and check.remedy:
                print_line(f"       what to do: {check.remedy}")
        print_line(f"\n{len(failed)} of {len(checks)} checks found something wrong" if failed else "\nall is well")
    sys.exit(1 if failed else 0)


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
