"""Collecting under kill -9: whatever dies at whichever page, it ends as if undisturbed, and within the limits."""

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

from infra.store.sql import SQL_OPEN_STATES
from tests.faults.stack import RunningStack, running_stack, until
from tests.integration.infra.sources.database_server import DatabaseServer, running_database
from tests.integration.workers.conftest import KINDS

SEED = 11
COUNT, PAGE = 105, 15
TRAINERS = "SELECT count(*) FROM workers WHERE queue = 'training'"
WINDOW = 0.5  # the shop's minute, in seconds
SEARCHES, PHOTOS = 2, 60  # in each of those
SETTINGS = {
    "RAYON_SOURCE_MINUTE": str(WINDOW),
    "RAYON_SOURCE_SEARCHES": str(SEARCHES),
    "RAYON_PHOTO_REQUESTS": str(PHOTOS),
    "RAYON_SOURCE_PAGE_SIZE": str(PAGE),
    "RAYON_SOURCE_REST": "0.5",
    "RAYON_FETCH_ALLOW_PRIVATE": "true",
}
LISTINGS = """
    SELECT l.external_id, r.number, r.fingerprint, p.address, p.categories::text, i.status::text, i.storage_key,
           l.status::text, l.category, (SELECT count(*) FROM revisions x WHERE x.listing_id = l.id),
           (SELECT count(*) FROM jobs j WHERE j.revision_id = r.id),
           (SELECT count(*) FROM decisions d WHERE d.revision_id = r.id AND NOT d.provisional)
    FROM sources s JOIN listings l ON l.source_id = s.id JOIN revisions r ON r.id = l.current_revision_id
    LEFT JOIN provenances p ON p.listing_id = l.id LEFT JOIN images i ON i.revision_id = r.id
    WHERE s.name = '{}' ORDER BY 1
"""
VERDICTS = """
    SELECT number, external_id, verdict::text, r.reason, r.note FROM import_rows r JOIN imports i ON i.id = import_id
    JOIN sources s ON s.id = i.source_id WHERE s.name = '{}' ORDER BY number
"""
ROWS = "SELECT coalesce(max(new), 0) FROM imports i JOIN sources s ON s.id = source_id WHERE s.name = '{}'"
RUNNING = "SELECT count(*) FROM imports WHERE status = 'running'"
LEASED = "SELECT count(*) FROM jobs WHERE kind = 'categorise' AND state = 'leased'"
OPEN = f"SELECT count(*) FROM jobs WHERE state IN {SQL_OPEN_STATES}"


@pytest.fixture
def shop() -> Iterator[DatabaseServer]:
    """A shop that counts photos too, and fails the test when anything was asked for too often."""
    with running_database(window=WINDOW, stock={"champagnes": COUNT}) as shop:
        shop.limits.most = {"search": SEARCHES, "photo": PHOTOS}
        yield shop


@pytest.fixture
def stack(tmp_path: Path, shop: DatabaseServer) -> Iterator[RunningStack]:
    settings = {**SETTINGS, "RAYON_SOURCES_ADDRESS": shop.address}
    with running_stack(tmp_path / "home", settings) as running:
        yield running


class Collector:
    """Collects the same products again and again, as sources of different names, and tells what became of them."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        headers = {"Authorization": f"Bearer {stack.key}"}
        self.client = httpx.Client(base_url=stack.address, headers=headers, timeout=30)

    def ask(self, source: str) -> None:
        """Of the running stack."""
        asked = {"database": "openfoodfacts", "category": "champagnes", "source": source, "taxonomy": "shop"}
        begun = self.client.post("/v1/imports", json=asked)
        assert begun.status_code == 202, begun.text

    def begin(self, source: str) -> subprocess.Popen[bytes]:
        """By command, in a process of its own."""
        words = ("openfoodfacts", "--category", "champagnes", "--source", source, "--taxonomy", "shop", "--no-wait")
        return subprocess.Popen(
            [sys.executable, "-m", "workers.cli", "collect", *words],
            env=self.stack.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def has(self, source: str, rows: int) -> bool:
        return int(self.stack.value(ROWS.format(source))) >= rows

    def reaches(self, source: str, rows: int) -> None:
        """Wait until so many rows are committed, and look often: pages follow each other quickly."""
        deadline = time.monotonic() + 90
        while not self.has(source, rows):
            assert time.monotonic() < deadline, f"{source} did not come to row {rows}"
            time.sleep(0.01)

    def at_work(self, kill: Callable[[], None]) -> None:
        """Kill while a listing is being worked on, if that can be met; else all the same."""
        deadline = time.monotonic() + 5
        while not self.stack.value(LEASED) and time.monotonic() < deadline:
            time.sleep(0.005)
        kill()

    def ends(self) -> None:
        until(lambda: self.stack.value(RUNNING) == 0, 120, "no import runs")
        until(lambda: self.stack.value(OPEN) == 0, 120, "every job has ended")

    def state(self, source: str) -> tuple[list[Any], list[Any]]:
        with self.stack.engine.connect() as connection:
            listings, verdicts = (connection.execute(text(q.format(source))).all() for q in (LISTINGS, VERDICTS))
        return [tuple(row) for row in listings], [tuple(row) for row in verdicts]


def train_a_model(stack: RunningStack, folder: Path) -> None:
    """From a few words; what it says of champagne is not the point."""
    with (folder / "shop.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "name", "category"))
        for category, names in KINDS.items():
            writer.writerows((f"{category} {n}", f"{names[n % len(names)]} number {n}", category) for n in range(24))
    stack.rayon("import", str(folder / "shop.csv"), "--source", "shop")
    until(lambda: stack.value(TRAINERS) > 0, 120, "a worker that trains")
    stack.rayon("train", "--taxonomy", "shop")


@pytest.mark.timeout(420)
@pytest.mark.xdist_group("stack")
def test_a_collection_ends_as_an_undisturbed_one_whatever_is_killed(
    stack: RunningStack, shop: DatabaseServer, tmp_path: Path
) -> None:
    train_a_model(stack, tmp_path)
    asked = ("--category", "champagnes", "--limit", "10", "--source", "ten", "--taxonomy", "shop")
    ten = stack.json("collect", "openfoodfacts", *asked)
    assert (ten["new"], ten["outcome"]["waiting"]) == (10, 0)
    collector = Collector(stack)
    listings = collector.state("ten")[0]
    assert [listing[5] for listing in listings] == ["stored"] * 10
    assert [listing[11] for listing in listings] == [1] * 10  # decided, and not only for the time being

    collector.ask("undisturbed")
    collector.ends()
    undisturbed = collector.state("undisturbed")
    assert len(undisturbed[0]) == COUNT
    assert {listing[5] for listing in undisturbed[0]} == {"stored"}

    victims: list[Callable[[], None]] = [
        lambda: stack.kill("worker-collect"),
        lambda: collector.at_work(lambda: stack.kill("worker-serve")),
        lambda: collector.at_work(lambda: stack.kill_child("worker-serve")),
        lambda: stack.kill("relay"),
        lambda: stack.kill("redis"),
        lambda: stack.kill("worker-collect"),
    ]
    rng = Random(SEED)
    rng.shuffle(victims)
    pages = sorted(rng.sample(range(1, COUNT // PAGE), len(victims)))
    collector.ask("killed")
    for page, kill in zip(pages, victims, strict=True):
        collector.reaches("killed", PAGE * page)
        kill()
    collector.ends()

    for page in sorted(rng.sample(range(1, COUNT // PAGE), 2)):
        process = collector.begin("by hand")
        collector.reaches("by hand", PAGE * page)
        process.kill()
        process.wait()
    assert collector.begin("by hand").wait(90) == 0
    collector.ends()

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
