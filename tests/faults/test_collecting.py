"""Parts of the stack are killed during a collection: it ends like an undisturbed one, and within the rate limits."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from infra.store.sql_fragments import SQL_OPEN_STATES
from tests.faults.stack import RunningStack, running_stack, until
from tests.integration.infra.sources.database_server import DatabaseServer, running_database
from tests.integration.workers.conftest import KINDS

SEED = 11
COUNT, PAGE = 105, 15
COUNT_TRAINERS = "SELECT count(*) FROM workers WHERE queue = 'training'"
WINDOW = 0.5  # the minute of the rate limits, in seconds
SEARCHES, PHOTOS = 2, 60  # requests allowed in each
SETTINGS = {
    "RAYON_SOURCE_MINUTE": str(WINDOW),
    "RAYON_SOURCE_SEARCHES": str(SEARCHES),
    "RAYON_PHOTO_REQUESTS": str(PHOTOS),
    "RAYON_SOURCE_PAGE_SIZE": str(PAGE),
    "RAYON_SOURCE_REST": "0.5",
    "RAYON_FETCH_ALLOW_PRIVATE": "true",
}
SELECT_LISTINGS = """
    SELECT l.external_id, r.number, r.fingerprint, p.address, p.categories::text, i.status::text, i.storage_key,
           l.status::text, l.category, (SELECT count(*) FROM revisions x WHERE x.listing_id = l.id),
           (SELECT count(*) FROM jobs j WHERE j.revision_id = r.id),
           (SELECT count(*) FROM decisions d WHERE d.revision_id = r.id AND NOT d.provisional)
    FROM sources s JOIN listings l ON l.source_id = s.id JOIN revisions r ON r.id = l.current_revision_id
    LEFT JOIN provenances p ON p.listing_id = l.id LEFT JOIN images i ON i.revision_id = r.id
    WHERE s.name = '{}' ORDER BY 1
"""
SELECT_VERDICTS = """
    SELECT number, external_id, verdict::text, r.reason, r.note FROM import_rows r JOIN imports i ON i.id = import_id
    JOIN sources s ON s.id = i.source_id WHERE s.name = '{}' ORDER BY number
"""
COUNT_ROWS = "SELECT coalesce(max(new), 0) FROM imports i JOIN sources s ON s.id = source_id WHERE s.name = '{}'"
COUNT_RUNNING_IMPORTS = "SELECT count(*) FROM imports WHERE status = 'running'"
COUNT_LEASED_JOBS = "SELECT count(*) FROM jobs WHERE kind = 'categorise' AND state = 'leased'"
COUNT_OPEN_JOBS = f"SELECT count(*) FROM jobs WHERE state IN {SQL_OPEN_STATES}"


@pytest.fixture
def shop() -> Iterator[DatabaseServer]:
    """A product database that limits photos too; the test fails when anything is requested too often."""
    with running_database(window=WINDOW, stock={"champagnes": COUNT}) as shop:
        shop.limits.most = {"search": SEARCHES, "photo": PHOTOS}
        yield shop


@pytest.fixture
def stack(tmp_path: Path, shop: DatabaseServer) -> Iterator[RunningStack]:
    settings = {**SETTINGS, "RAYON_SOURCES_ADDRESS": shop.address}
    with running_stack(tmp_path / "home", settings) as running:
        yield running


class Collector:
    """Collects the same products into sources of different names, and reads what became of them."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        headers = {"Authorization": f"Bearer {stack.key}"}
        self.client = httpx.Client(base_url=stack.address, headers=headers, timeout=30)

    def request(self, source: str) -> None:
        """Have a worker of the stack collect."""
        body = {"database": "openfoodfacts", "category": "champagnes", "source": source, "taxonomy": "shop"}
        response = self.client.post("/v1/imports", json=body)
        assert response.status_code == 202, response.text

    def start_command(self, source: str) -> subprocess.Popen[bytes]:
        """Collect by command, in a process of its own."""
        arguments = ("openfoodfacts", "--category", "champagnes", "--source", source, "--taxonomy", "shop", "--no-wait")
        return subprocess.Popen(
            [sys.executable, "-m", "workers.cli", "collect", *arguments],
            env=self.stack.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_for_row(self, source: str, row: int) -> None:
        """Wait until this row is committed; polls often, since pages follow each other quickly."""
        deadline = time.monotonic() + 90
        while self.stack.value(COUNT_ROWS.format(source)) < row:
            assert time.monotonic() < deadline, f"{source} did not reach row {row}"
            time.sleep(0.01)

    def kill_at_work(self, kill: Callable[[], None]) -> None:
        """Kill while a listing is being categorised, or after five seconds anyway."""
        deadline = time.monotonic() + 5
        while not self.stack.value(COUNT_LEASED_JOBS) and time.monotonic() < deadline:
            time.sleep(0.005)
        kill()

    def wait_for_the_end(self) -> None:
        until(lambda: self.stack.value(COUNT_RUNNING_IMPORTS) == 0, 120, "no import runs")
        until(lambda: self.stack.value(COUNT_OPEN_JOBS) == 0, 120, "every job has ended")

    def state(self, source: str) -> tuple[list[Any], list[Any]]:
        with self.stack.engine.connect() as connection:
            listings, verdicts = (
                connection.execute(text(q.format(source))).all() for q in (SELECT_LISTINGS, SELECT_VERDICTS)
            )
        return [tuple(row) for row in listings], [tuple(row) for row in verdicts]


def train_a_model(stack: RunningStack, folder: Path) -> None:
    """Train a model of mugs and watches; its decisions on champagne do not matter."""
    with (folder / "shop.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "name", "category"))
        for category, names in KINDS.items():
            writer.writerows((f"{category} {n}", f"{names[n % len(names)]} number {n}", category) for n in range(24))
    stack.rayon("import", str(folder / "shop.csv"), "--source", "shop")
    until(lambda: stack.value(COUNT_TRAINERS) > 0, 120, "a worker that trains")
    stack.rayon("train", "--taxonomy", "shop")


@pytest.mark.timeout(420)
@pytest.mark.xdist_group("stack")
def test_a_collection_ends_like_an_undisturbed_one_whatever_is_killed(
    stack: RunningStack, shop: DatabaseServer, tmp_path: Path
) -> None:
    train_a_model(stack, tmp_path)
    options = ("--category", "champagnes", "--limit", "10", "--source", "ten", "--taxonomy", "shop")
    ten = stack.json("collect", "openfoodfacts", *options)
    assert (ten["new"], ten["outcome"]["waiting"]) == (10, 0)
    collector = Collector(stack)
    listings = collector.state("ten")[0]
    assert [listing[5] for listing in listings] == ["stored"] * 10
    assert [listing[11] for listing in listings] == [1] * 10  # a final decision

    collector.request("undisturbed")
    collector.wait_for_the_end()
    undisturbed = collector.state("undisturbed")
    assert len(undisturbed[0]) == COUNT
    assert {listing[5] for listing in undisturbed[0]} == {"stored"}

    victims: list[Callable[[], None]] = [
        lambda: stack.kill("worker-collect"),
        lambda: collector.kill_at_work(lambda: stack.kill("worker-serve")),
        lambda: collector.kill_at_work(lambda: stack.kill_child("worker-serve")),
        lambda: stack.kill("relay"),
        lambda: stack.kill("redis"),
        lambda: stack.kill("worker-collect"),
    ]
    rng = Random(SEED)
    rng.shuffle(victims)
    pages = sorted(rng.sample(range(1, COUNT // PAGE), len(victims)))
    collector.request("killed")
    for page, kill in zip(pages, victims, strict=True):
        collector.wait_for_row("killed", PAGE * page)
        kill()
    collector.wait_for_the_end()

    for page in sorted(rng.sample(range(1, COUNT // PAGE), 2)):
        process = collector.start_command("by hand")
        collector.wait_for_row("by hand", PAGE * page)
        process.kill()
        process.wait()
    assert collector.start_command("by hand").wait(90) == 0
    collector.wait_for_the_end()

    figures = {
        "listings": {source: len(collector.state(source)[0]) for source in ("undisturbed", "killed", "by hand")},
        "searches": len(shop.asked("search")),
        "photos": len(shop.asked("photo")),
        "above the limits": len(shop.limits.violations),
        "died": stack.value("SELECT count(*) FROM attempts WHERE outcome = 'died'"),
        "dead_letters": stack.value("SELECT count(*) FROM dead_letters"),
        "decided twice": stack.value(
            "SELECT count(*) FROM (SELECT revision_id, model_id FROM decisions GROUP BY 1, 2 HAVING count(*) > 1) twice"
        ),
    }
    print(json.dumps(figures))
    for source in ("killed", "by hand"):
        assert collector.state(source) == undisturbed, source
    assert (figures["above the limits"], figures["dead_letters"], figures["decided twice"]) == (0, 0, 0), figures
