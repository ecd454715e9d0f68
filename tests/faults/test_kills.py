"""Every part of the stack is killed in turn during an import: nothing is lost, nothing is done twice."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.sample.generator import write_catalogue
from infra.store.sql_fragments import SQL_OPEN_STATES
from tests.faults.stack import RunningStack, running_stack, until

COUNT = 839
CHUNK = 20

COUNT_OPEN_JOBS = f"SELECT count(*) FROM jobs WHERE state IN {SQL_OPEN_STATES}"
COUNT_DECISIONS = "SELECT count(*) FROM decisions d JOIN model_versions m ON m.id = d.model_id"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    with running_stack(tmp_path / "home") as running:
        yield running


class PersistentClient:
    """A client that repeats a request, with the same Idempotency-Key, until it is answered."""

    def __init__(self, stack: RunningStack) -> None:
        self.client = httpx.Client(base_url=stack.address, headers={"Authorization": f"Bearer {stack.key}"}, timeout=10)
        self.retries = 0

    def post(self, path: str, body: Any, key: str) -> httpx.Response:
        deadline = time.monotonic() + 60
        while True:
            try:
                response = self.client.post(path, json=body, headers={"Idempotency-Key": key})
                if response.status_code < 500:
                    return response
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "the api did not come back"
            self.retries += 1
            time.sleep(0.2)


@pytest.mark.timeout(420)
@pytest.mark.xdist_group("stack")
def test_nothing_is_lost_and_nothing_is_done_twice_whatever_is_killed(stack: RunningStack, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "first", 120, seed=3)
    stack.rayon("import", str(catalogue), "--images", str(catalogue.parent / "images"), "--source", "shop", "--wait")
    stack.rayon("train", "--taxonomy", "shop")
    assert stack.value(f"{COUNT_DECISIONS} WHERE NOT d.provisional") == 120

    rows = list(csv.DictReader(write_catalogue(tmp_path / "second", COUNT, seed=4).open()))
    client = PersistentClient(stack)
    victims: Iterator[Callable[[], None]] = iter(
        [
            lambda: stack.kill("worker-serve"),
            lambda: stack.kill_child("worker-serve"),
            lambda: stack.kill("relay"),
            lambda: stack.kill("api"),
            lambda: stack.kill("redis"),
        ]
    )
    accepted = 0
    chunks = [rows[start : start + CHUNK] for start in range(0, COUNT, CHUNK)]
    every = len(chunks) // 6
    for number, chunk in enumerate(chunks):
        if number % every == every - 1:
            victim = next(victims, None)
            if victim is not None:
                victim()
        listings = [
            {
                "source": "shop",
                "external_id": f"second-{row['id']}",
                "name": row["name"] or "nameless",
                "description": row["description"],
                "attributes": json.loads(row["attributes"] or "{}"),
            }
            for row in chunk
        ]
        response = client.post("/v1/listings/batch?priority=import", listings, f"chunk-{number}")
        assert response.status_code == 207, response.text
        accepted += sum(row["verdict"] in ("new", "changed") for row in response.json()["rows"])
    assert next(victims, None) is None, "every part was killed"
    until(lambda: stack.value(COUNT_OPEN_JOBS) == 0, 240, "every job has ended")

    revisions = stack.value(
        "SELECT count(*) FROM revisions r JOIN listings l ON l.id = r.listing_id WHERE l.external_id LIKE 'second-%'"
    )
    decided = stack.value(
        "SELECT count(DISTINCT revision_id) FROM decisions JOIN revisions r ON r.id = revision_id "
        "JOIN listings l ON l.id = r.listing_id WHERE l.external_id LIKE 'second-%'"
    )
    decided_twice = stack.value(
        "SELECT count(*) FROM (SELECT revision_id, model_id FROM decisions GROUP BY 1, 2 HAVING count(*) > 1) twice"
    )
    announced_twice = stack.value(
        "SELECT count(*) FROM (SELECT revision_id, payload->>'model_id' FROM events "
        "WHERE kind = 'listing_decided' GROUP BY 1, 2 HAVING count(*) > 1) twice"
    )
    superseded = stack.value("SELECT count(*) FROM jobs WHERE state = 'superseded'")
    dead = stack.value("SELECT count(*) FROM dead_letters")
    figures = {
        "accepted": accepted,
        "decided": decided,
        "superseded": superseded,
        "decided_twice": decided_twice,
        "announced_twice": announced_twice,
        "dead_letters": dead,
        "client_retries": client.retries,
    }
    print(json.dumps(figures))
    assert accepted == revisions == COUNT
    assert (decided + superseded, decided_twice, announced_twice, dead) == (COUNT, 0, 0, 0), figures
