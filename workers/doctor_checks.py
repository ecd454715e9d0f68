"""What the doctor looks at, each check in plain words with what to do about it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

import redis
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from infra.embedded import server
from infra.embedded.stack import read_status
from infra.sources.databases import located
from infra.sources.scheduled_queries import read_standing
from infra.storage.weights_ledger import WeightsLedger
from infra.store import health
from infra.store.jobs.queries import read_backlog
from infra.store.models.queries import active_models, taxonomies_without_model
from pipeline.domain import extractors
from pipeline.domain.errors import InvalidInput, TransientFailure, Unavailable
from pipeline.domain.job import Queue
from pipeline.domain.text import listed
from workers.bootstrap import WorkerContext
from workers.relay import RELAY_LOCK

PYTHONS = ((3, 11), (3, 14))
FREE_BYTES = 2_000_000_000
CLOCK_SECONDS = 5.0
TIMEOUT = 3.0


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """One thing looked at; ``good`` None is information only; ``remedy`` says what to do when it is not good."""

    name: str
    good: bool | None
    found: str
    remedy: str = ""


def check_machine(home: Path) -> Iterator[DoctorCheck]:
    """What holds before anything runs: Python, disk, permissions."""
    version = sys.version.split()[0]
    fits = PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]
    yield DoctorCheck("python", fits, f"Python {version}", "use Python 3.11, 3.12 or 3.13: make PYTHON=… install")
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    remedy = "free some space: Postgres stops when the disk is full"
    yield DoctorCheck("disk", free > FREE_BYTES, f"{free / 1e9:.1f} GB free for {home}", remedy)
    writable = os.access(place, os.W_OK | os.X_OK)
    said = f"{place} can be written" if writable else f"{place} cannot be written"
    yield DoctorCheck("home", writable, said, "give this user the folder, or choose another one with RAYON_HOME")
    secrets = [home / "admin-key", *(home / "run").glob("*.json"), *home.glob("*/password")]
    open_ones = [str(file) for file in secrets if file.exists() and file.stat().st_mode & 0o077]
    found = f"others may read {', '.join(open_ones)}" if open_ones else "only their owner reads the files with secrets"
    yield DoctorCheck("secrets", not open_ones, found, f"chmod 600 {' '.join(open_ones)}")


def check_stack(home: Path) -> Iterator[DoctorCheck]:
    """The embedded stack: its programs, and whether the supervisor and all services run."""
    try:
        found = f"Postgres and Redis are installed ({server.postgres_binaries()}, {server.redis_binary()})"
        yield DoctorCheck("binaries", True, found)
    except Unavailable as error:
        yield DoctorCheck("binaries", False, str(error), "make install")
    status = read_status(home)
    if status is None or not status.alive:
        yield DoctorCheck("stack", False, f"nothing runs in {home}", "start it: rayon up")
        return
    down = [s for s in status.services if s.state not in ("running", "done")]
    said = ", ".join(f"{s.name} is {s.state} ({s.last_exit or 'no exit yet'})" for s in down)
    remedy = f"read the logs in {home / 'logs'}"
    yield DoctorCheck("stack", not down and status.state == "running", said or f"the stack is {status.state}", remedy)


def check_parts(context: WorkerContext) -> Iterator[DoctorCheck]:
    """Broker, storage and api, each asked for real."""
    yield _asked(
        "broker", lambda: _redis(context), "start Redis, or check BROKER_URL; what is accepted waits meanwhile"
    )
    yield _asked("storage", lambda: _storage(context), "check STORAGE_URL, its permissions and its disk")
    yield _asked("api", lambda: _api(context), "start it (rayon up, or uvicorn --factory api.app:create_app)")


def check_record(context: WorkerContext) -> Iterator[DoctorCheck]:
    """The database, and what it tells about relay, workers, backlog and models."""
    try:
        with context.engine.connect() as connection:
            yield DoctorCheck("database", True, "the database answers")
            yield from _schema(connection)
    except SQLAlchemyError as error:
        said = f"the database does not answer: {str(error.__cause__ or error).strip().splitlines()[0]}"
        yield DoctorCheck("database", False, said, "start it (rayon up), or check DATABASE_URL")
        return
    try:
        with context.engine.connect() as connection:
            yield from _work(connection, context)
    except SQLAlchemyError:
        yield DoctorCheck("record", False, "the tables cannot be read", "rayon migrate")


def _schema(connection: Connection) -> Iterator[DoctorCheck]:
    stands, newest = health.schema_revision(connection), health.newest_revision()
    said = f"the schema stands at {stands or 'nothing'}; this code wants {newest}"
    yield DoctorCheck("schema", stands == newest, said, "rayon migrate")
    kept = health.encoding(connection)
    said = f"the database keeps text as {kept}; UTF8 is needed"
    yield DoctorCheck("encoding", kept == "UTF8", said, health.ENCODING_ADVICE)
    skew = health.clock_skew(connection)
    said = f"the database's clock and ours are {abs(skew):.1f} s apart"
    yield DoctorCheck("clock", abs(skew) < CLOCK_SECONDS, said, "keep both machines' clocks in time (NTP)")


def _work(connection: Connection, context: WorkerContext) -> Iterator[DoctorCheck]:
    limits = context.settings
    active = health.relay_is_active(connection, RELAY_LOCK)
    said = "a relay is active" if active else "no relay is active: accepted listings wait"
    yield DoctorCheck("relay", active, said, "rayon relay (the embedded stack starts its own)")
    backlog = read_backlog(connection, limits.worker_timeout)
    roles = {Queue.TRAINING: "train", Queue.COLLECTING: "collect"}
    for queue in Queue:
        count = sum(worker["queue"] == queue for worker in backlog.workers)
        role = roles.get(queue, f"serve --queue {queue}")
        said = f"{count} at work on the queue {queue}" if count else f"no worker on the queue {queue}"
        yield DoctorCheck(f"workers {queue}", count > 0, said, f"rayon worker --role {role}")
    for priority in ("interactive", "pipeline", "import"):
        age, limit = backlog.oldest.get(priority, 0.0), getattr(limits, f"backlog_limit_{priority}")
        said = f"the oldest {priority} job has waited {age:.0f} s (limit {limit:.0f} s)"
        yield DoctorCheck(
            f"backlog {priority}", age <= limit, said, "add workers: intake answers 429 until it is shorter"
        )
    letters = backlog.dead_letters
    yield DoctorCheck(
        "dead letters", letters == 0, f"{letters} jobs were given up", "rayon dead-letters list, then replay"
    )
    without = taxonomies_without_model(connection)
    said = f"no active model for {listed(without)}" if without else "every taxonomy with listings has a model"
    yield DoctorCheck("models", None if without else True, said, "rayon train")
    yield from _schedule(limits.collect_schedule)
    for model in active_models(connection):
        if model.problem:
            said = f"this version of Rayon cannot read the active model of {model.taxonomy}: {model.problem}"
            yield DoctorCheck(f"model of {model.taxonomy}", False, f"{said}; its listings wait", model.remedy())


def _schedule(line: str) -> Iterator[DoctorCheck]:
    """Whether the collections that the settings tell can be kept by beat."""
    try:
        for asked in read_standing(line):
            located(asked.database, "")
            yield DoctorCheck(
                "collection", True, f"{asked.database} by {asked.query.kind}, schedule '{asked.schedule}'"
            )
    except InvalidInput as error:
        yield DoctorCheck(
            "collection", False, str(error), "mend RAYON_COLLECT_SCHEDULE (docs/sources.md), start beat again"
        )


def check_weights(context: WorkerContext) -> Iterator[DoctorCheck]:
    """Information only, of every extractor that takes weights: without them it is left out, the others go on."""
    with contextlib.suppress(TransientFailure):
        available, ledger = context.registry.available_weights(), WeightsLedger(context.storage)
        for row in extractors.EXTRACTORS:
            if not row.takes_weights:
                continue
            failed = ledger.failed(row.name)
            if row.name in available:
                said = f"the weights of {row.name} are there"
            elif failed is not None:
                said = f"{failed.said}; tried again after {datetime.fromtimestamp(failed.next_at):%Y-%m-%d %H:%M}"
            else:
                way = f"fetch {row.name}" if row.published else f"add {row.name} NAME"
                said = f"the weights of {row.name} are not there, and it is left out (rayon models {way})"
            yield DoctorCheck(f"weights {row.name}", None, said)


def _asked(name: str, ask: Callable[[], tuple[bool, str]], remedy: str) -> DoctorCheck:
    try:
        good, found = ask()
    except Exception as error:  # a check must not stop the others, whatever the client raises
        return DoctorCheck(name, False, f"{name} does not answer: {error}", remedy)
    return DoctorCheck(name, good, found, remedy)


def _redis(context: WorkerContext) -> tuple[bool, str]:
    url = context.settings.broker_url
    if not url:
        return False, "no broker is set (BROKER_URL)"
    with redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT) as client:
        appends = client.config_get("appendonly").get("appendonly")
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
    good = appends == "yes" and policy == "noeviction"
    return good, f"Redis answers; appendonly is {appends} (wanted: yes), maxmemory-policy {policy} (wanted: noeviction)"


def _storage(context: WorkerContext) -> tuple[bool, str]:
    context.storage.ping()
    return True, "the storage can be written"


def _api(context: WorkerContext) -> tuple[bool, str]:
    address = context.settings.public_url
    with urlopen(f"{address}/healthz", timeout=TIMEOUT):  # noqa: S310 - an address of our own settings
        return True, f"the api answers at {address}"
