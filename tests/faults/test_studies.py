"""A study under kill -9: its workers die in a trial, it goes on from what is kept, and ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.sample.generator import write_catalogue
from tests.faults.stack import RunningStack, running_stack, until

ENDED = "SELECT count(*) FROM jobs WHERE kind = 'study' AND state = 'done' AND payload ->> 'stage' = 'trial'"
STAGE = "SELECT count(*) FROM jobs WHERE kind = 'study' AND state = 'leased' AND payload ->> 'stage' = '{stage}'"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    with running_stack(tmp_path / "home") as running:
        yield running


@pytest.mark.timeout(420)
@pytest.mark.xdist_group("stack")
def test_a_study_whose_workers_are_killed_ends_with_every_trial(stack: RunningStack, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "shop", 90, seed=5)
    stack.rayon("import", str(catalogue), "--images", str(catalogue.parent / "images"), "--source", "shop")
    client = httpx.Client(base_url=stack.address, headers={"Authorization": f"Bearer {stack.key}"}, timeout=30)
    asked = {"taxonomy": "shop", "level": 1, "extractors": ["tfidf", "bag_of_words", "fisher"], "seeds": 2}
    begun = client.post("/v1/studies", json=asked)
    assert begun.status_code == 202, begun.text
    place = begun.headers["Location"]

    def study() -> Any:
        return client.get(place).json()

    until(lambda: stack.value(STAGE.format(stage="trial")), 120, "a trial is being worked on")
    stack.kill_child("worker-train")
    # Its job too: one that is killed between the two writes the same figures again.
    until(lambda: stack.value(ENDED) >= 1, 120, "a trial is done")
    done_before = stack.value("SELECT min(ended_at) FROM trials WHERE status = 'done'")
    stack.kill("worker-train")
    until(lambda: study()["status"] != "running", 240, "the study has ended")

    ended = study()
    figures = {
        "status": ended["status"],
        "verdict": ended["verdict"],
        "trials": {f"{t['extractor']} {t['protocol']}": t["status"] for t in ended["trials"]},
        "attempts": stack.value("SELECT sum(attempt) FROM jobs WHERE kind = 'study'"),
        "jobs": stack.value("SELECT count(*) FROM jobs WHERE kind = 'study'"),
        "died": stack.value("SELECT count(*) FROM attempts WHERE outcome = 'died'"),
        "dead_letters": stack.value("SELECT count(*) FROM dead_letters"),
    }
    print(json.dumps(figures))
    assert ended["status"] == "done", figures
    assert set(figures["trials"].values()) == {"done"}, figures
    assert figures["died"] >= 1
    assert figures["dead_letters"] == 0
    assert stack.value("SELECT min(ended_at) FROM trials WHERE status = 'done'") == done_before, "what was done is kept"
    report = client.get(f"{place}/report").json()
    assert report["fingerprint"] == ended["fingerprint"]
    assert client.get(f"{place}/files/report.en.html").headers["content-type"].startswith("text/html")
