"""Listings per second from POST to Postgres, beside the engine alone, a plain Celery task, and more workers.

Every contender uses all cores of this process and the same uploaded photos. References run in the same call, right
after what they are compared with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg2.extras
from sqlalchemy import text

from infra.embedded.home import Home
from infra.sample.generator import SampleListing, generate
from tests.benchmarks.photos import enlarged
from tests.faults.stack import RunningStack, until

LISTINGS = 400
SIDE = 1100  # pixels of a photo: what sellers send
BATCH = 100
CORES = len(os.sched_getaffinity(0))
TIMEOUT = 600.0
# Tables with rows of a listing, and the condition that selects the rows of this benchmark.
OWN_LISTINGS = "(SELECT id FROM listings WHERE external_id LIKE :mine)"
OWN_REVISIONS = f"(SELECT id FROM revisions WHERE listing_id IN {OWN_LISTINGS})"
LEFT_BEHIND = {
    "listings": f"id IN {OWN_LISTINGS}",
    "revisions": f"listing_id IN {OWN_LISTINGS}",
    "images": f"revision_id IN {OWN_REVISIONS}",
    "jobs": f"listing_id IN {OWN_LISTINGS}",
    "attempts": f"job_id IN (SELECT id FROM jobs WHERE listing_id IN {OWN_LISTINGS})",
    "predictions": f"revision_id IN {OWN_REVISIONS}",
    "decisions": f"revision_id IN {OWN_REVISIONS}",
    "embeddings": f"revision_id IN {OWN_REVISIONS}",
    "events": f"listing_id IN {OWN_LISTINGS}",
}


def throughput(stack: RunningStack) -> dict[str, Any]:
    """The bar: end to end at least 0.6 of the speed of decoding, describing and a bare insert of the same rows."""
    listings = _with_photos(LISTINGS)
    keys = _uploaded(stack, listings)
    _through(stack, listings[:BATCH], keys[:BATCH], "warm")
    seconds = _through(stack, listings, keys, "through")
    described, answered = _engine(stack, keys)
    inserted, rows = _bare_insert(stack, "through-%")
    plain = _plain_celery(stack, keys)
    return {
        "listings": len(listings),
        "cores": CORES,
        "listings_per_second": round(len(listings) / seconds, 1),
        "engine_alone_per_second": round(len(listings) / answered, 1),
        "plain_celery_per_second": round(len(listings) / plain, 1),
        "decoding_and_describing_s": round(described, 2),
        "bare_insert_s": round(inserted, 2),
        "bare_insert_rows": rows,
        "share_of_engine": round(answered / seconds, 3),
        "share_of_sum": round((described + inserted) / seconds, 3),
        "against_plain_celery": round(plain / seconds, 2),
        "bar_share_of_sum": 0.6,
    }


def scaling(stack: RunningStack) -> dict[str, Any]:
    """Listings per second with one, two and four single-process workers."""
    listings = _with_photos(LISTINGS)
    keys = _uploaded(stack, listings)
    _through(stack, listings[:BATCH], keys[:BATCH], "alone-warm")
    found = {}
    for count in (1, 2, 4):
        with _more_workers(stack, count - 1):
            _through(stack, listings[:BATCH], keys[:BATCH], f"warm-{count}")
            found[count] = len(listings) / _through(stack, listings, keys, f"scaling-{count}")
    return {
        "cores": CORES,
        "listings_per_second": {str(count): round(rate, 1) for count, rate in found.items()},
        "scaling": {str(count): round(rate / found[1], 2) for count, rate in found.items()},
    }


def _with_photos(count: int) -> list[tuple[SampleListing, bytes]]:
    found: list[tuple[SampleListing, bytes]] = []
    for listing in generate(4 * count, seed=77):
        photo = listing.jpeg()
        if photo and listing.name and len(found) < count:
            found.append((listing, enlarged(photo, SIDE, len(found))))
    return found


def _client(stack: RunningStack) -> httpx.Client:
    return httpx.Client(base_url=stack.address, headers={"Authorization": f"Bearer {stack.key}"}, timeout=60)


def _uploaded(stack: RunningStack, listings: Sequence[tuple[SampleListing, bytes]]) -> list[str]:
    keys = []
    with _client(stack) as client:
        for _, photo in listings:
            offer = client.post("/v1/uploads", json={"content_type": "image/jpeg", "size": len(photo)}).json()
            client.put(offer["url"], content=photo, headers=offer["headers"]).raise_for_status()
            keys.append(offer["key"])
    return keys


def _through(
    stack: RunningStack, listings: Sequence[tuple[SampleListing, bytes]], keys: Sequence[str], tag: str
) -> float:
    """Seconds from the first POST to the last decision."""
    bodies = [
        {
            "source": "bench",
            "external_id": f"{tag}-{number}",
            "name": listing.name,
            "description": listing.description,
            "images": [key],
        }
        for number, ((listing, _), key) in enumerate(zip(listings, keys, strict=True))
    ]
    counted = text(
        "SELECT count(*) FROM listings l JOIN decisions d ON d.revision_id = l.current_revision_id "
        "WHERE l.external_id LIKE :mine AND NOT d.provisional"
    )
    started = time.perf_counter()
    with _client(stack) as client:
        for start in range(0, len(bodies), BATCH):
            part = bodies[start : start + BATCH]
            client.post("/v1/listings/batch", json=part).raise_for_status()

    def decided() -> bool:
        with stack.engine.connect() as connection:
            return bool(connection.execute(counted, {"mine": f"{tag}-%"}).scalar_one() >= len(bodies))

    until(decided, TIMEOUT, f"{len(bodies)} listings are decided")
    return time.perf_counter() - started


def _engine(stack: RunningStack, keys: Sequence[str]) -> tuple[float, float]:
    """Seconds to read and describe all photos, and to answer for all listings, with one process per core."""
    shares = [list(keys[core::CORES]) for core in range(CORES)]
    with ExitStack() as processes:
        running = [processes.enter_context(_process(stack, "tests.benchmarks.throughput_engine")) for _ in shares]
        for process, share in zip(running, shares, strict=True):
            _write(process, {"keys": share})
        for process in running:  # loaded, warmed up
            _read(process)
        spent = []
        for task in ("describe", "answer"):
            started = time.perf_counter()
            for process in running:
                _write(process, task)
            for process in running:
                _read(process)
            spent.append(time.perf_counter() - started)
    return spent[0], spent[1]


def _bare_insert(stack: RunningStack, mine: str) -> tuple[float, int]:
    """Seconds of one multi-row insert per table, without indexes, of all rows of the listings."""
    spent, count = 0.0, 0
    with stack.engine.begin() as connection:
        cursor = connection.connection.cursor()
        for table, condition in LEFT_BEHIND.items():
            connection.execute(text(f"CREATE TABLE bare_{table} (LIKE {table})"))
            copied = text(f"SELECT row_to_json(t)::text FROM {table} t WHERE {condition}")
            found = connection.execute(copied, {"mine": mine}).scalars().all()
            if not found:
                continue
            statement = (
                f"INSERT INTO bare_{table} SELECT r.* FROM (VALUES %s) AS v(row), "
                f"json_populate_record(NULL::bare_{table}, v.row::json) AS r"
            )
            started = time.perf_counter()
            psycopg2.extras.execute_values(cursor, statement, [(row,) for row in found], page_size=len(found))
            spent += time.perf_counter() - started
            count += len(found)
        for table in LEFT_BEHIND:
            connection.execute(text(f"DROP TABLE bare_{table}"))
    return spent, count


def _plain_celery(stack: RunningStack, keys: Sequence[str]) -> float:
    """Seconds of a plain Celery task per listing, which loads, predicts and writes one row."""
    with _process(stack, "tests.benchmarks.throughput_celery", str(CORES)) as process:
        _write(process, list(keys))
        _read(process)  # it is ready and begins
        started = time.perf_counter()
        _read(process)
        return time.perf_counter() - started


@contextmanager
def _more_workers(stack: RunningStack, count: int) -> Iterator[None]:
    words = [sys.executable, "-m", "workers.cli", "worker", "--role", "serve", "--queue", "categorise", "--slots", "1"]
    known = stack.value("SELECT count(*) FROM workers WHERE queue = 'categorise'")
    started = [
        subprocess.Popen(words, env=_environment(stack), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        alive = "SELECT count(*) FROM workers WHERE queue = 'categorise' AND seen_at > now() - interval '5 s'"
        until(lambda: stack.value(alive) >= known + count, 60, f"{count} more workers are there")
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


def _environment(stack: RunningStack) -> dict[str, str]:
    return {**stack.environment, **Home(stack.folder).environment()}


@contextmanager
def _process(stack: RunningStack, module: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words],
        env=_environment(stack),
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def _write(process: subprocess.Popen[str], message: Any) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def _read(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())
