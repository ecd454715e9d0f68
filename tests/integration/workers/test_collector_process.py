"""A collecting worker as its own process, behind relay and Redis: asked over HTTP, killed, told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from infra.settings import read_settings
from tests.integration.infra.sources.database_server import DatabaseServer, running_database
from tests.integration.records import add_key
from tests.integration.workers.commands.test_collect import STATE, VERDICTS
from tests.integration.workers.conftest import Bench
from tests.integration.workers.test_relay import until
from workers.bootstrap import build
from workers.celery_app import create_celery, publisher
from workers.collector import collect_handler
from workers.long_job_runner import run_long_job

WINDOW = 0.3  # the shop's minute, in seconds
ALIVE = "SELECT count(*) FROM workers WHERE role = 'collect'"


@pytest.fixture
def shop() -> Iterator[DatabaseServer]:
    with running_database(window=WINDOW) as shop:
        yield shop


@pytest.fixture
def relayed(bench: Bench, redis_url: str) -> Iterator[None]:
    """A relay that works while the test does."""
    celery = create_celery(bench.context.settings.model_copy(update={"broker_url": redis_url}))
    stop = threading.Event()
    thread = threading.Thread(target=bench.relay(publisher(celery)).run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join(10)


@pytest.fixture
def environment(bench: Bench, shop: DatabaseServer, redis_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": bench.context.settings.database_url,
        "BROKER_URL": redis_url,
        "RAYON_HOME": str(bench.context.settings.home),
        "RAYON_LEASE": "1",
        "RAYON_SOURCES_ADDRESS": shop.address,
        "RAYON_SOURCE_MINUTE": str(WINDOW),
        "RAYON_SOURCE_SEARCHES": "1",
        "RAYON_SOURCE_PAGE_SIZE": "4",
        "RAYON_FETCH_ALLOW_PRIVATE": "true",
    }


@contextmanager
def collecting(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of its own process, killed at the end."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("RAYON_")}
    words = [sys.executable, "-m", "workers.cli", "worker", "--role", "collect"]
    with log.open("ab") as stream:
        process = subprocess.Popen(words, env={**others, **environment}, stdout=stream, stderr=stream)
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("relayed")
def test_an_import_asked_over_http_survives_its_workers_and_ends_as_an_undisturbed_one(
    bench: Bench, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    here = build(read_settings(environment))

    def taken_in(number: int) -> int:
        return int(bench.value(f"SELECT count(*) FROM import_rows WHERE import_id = {number}"))

    admin = {"Authorization": f"Bearer {add_key(bench.context.engine, 'admin', ['admin'])}"}
    with TestClient(create_app(bench.context.settings)) as client:

        def ask(source: str) -> int:
            asked = {"database": "openfoodfacts", "category": "champagnes", "source": source}
            answer = client.post("/v1/imports", json=asked, headers=admin)
            assert answer.status_code == 202
            return int(answer.json()["id"])

        def finish(number: int) -> None:
            """The work of a worker that nobody disturbs, in this process."""
            job = f"SELECT id FROM jobs WHERE state = 'sent' AND payload ->> 'import_id' = '{number}'"
            until(lambda: bool(bench.rows(job)))
            run_long_job(here, "this process", bench.value(job), collect_handler())

        def show(number: int) -> Any:
            return client.get(f"/v1/imports/{number}", headers=admin).json()

        number = ask("killed")
        with collecting(environment, log) as first:
            until(lambda: taken_in(number) >= 4, 40)
            first.send_signal(signal.SIGKILL)
        assert show(number)["status"] == "running"
        with collecting(environment, log) as second:
            until(lambda: taken_in(number) >= 12, 40)
            second.send_signal(signal.SIGTERM)
            assert second.wait(20) == 0
        assert bench.value(ALIVE) == 1  # the killed one said no goodbye
        assert taken_in(number) < 24
        assert "the worker was told to stop" in bench.value("SELECT note FROM jobs WHERE kind = 'collect'")
        finish(number)
        whole = ask("whole")
        finish(whole)
        counts = [{name: show(one)[name] for name in ("row", "new", "rejected", "share")} for one in (number, whole)]
    here.engine.dispose()
    assert counts == [{"row": 24, "new": 24, "rejected": 0, "share": 1.0}] * 2
    with bench.context.engine.connect() as connection:
        for statement, ends in (
            (VERDICTS, [{"id": number}, {"id": whole}]),
            (STATE, [{"source": "killed"}, {"source": "whole"}]),
        ):
            killed, undisturbed = ([tuple(row) for row in connection.execute(text(statement), end)] for end in ends)
            assert killed == undisturbed
            assert len(killed) == 24
    outcomes = [row[0] for row in bench.rows("SELECT outcome::text FROM attempts WHERE job_id = 1 ORDER BY attempt")]
    assert (outcomes[0], outcomes[-1], set(outcomes[1:-1])) == ("died", "done", {"requeued"})
