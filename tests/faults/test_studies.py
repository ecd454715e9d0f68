"""The workers of a study are killed during a trial: the study continues from its stored results, and ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.sample.generator import write_catalogue
from tests.faults.stack import RunningStack, running_stack, until

COUNT_TRIAL_JOBS = (
    "SELECT count(*) FROM jobs WHERE kind = 'study' AND payload ->> 'stage' = 'trial' AND state = '{state}'"
)
SELECT_FIRST_TRIAL_END = "SELECT min(ended_at) FROM trials WHERE status = 'done'"


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
    body = {"taxonomy": "shop", "level": 1, "extractors": ["tfidf", "bag_of_words", "fisher"], "seeds": 2}
    response = client.post("/v1/studies", json=body)
    assert response.status_code == 202, response.text
    location = response.headers["Location"]

    def study() -> Any:
        return client.get(location).json()

    until(lambda: stack.value(COUNT_TRIAL_JOBS.format(state="leased")), 120, "a trial runs")
    stack.kill_child("worker-train")
    # Its job as well: one that is killed between the two writes the same figures again.
    until(lambda: stack.value(COUNT_TRIAL_JOBS.format(state="done")) >= 1, 120, "a trial is done")
    done_before = stack.value(SELECT_FIRST_TRIAL_END)
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
    assert stack.value(SELECT_FIRST_TRIAL_END) == done_before, "finished trials are kept"
    report = client.get(f"{location}/report").json()
    assert report["fingerprint"] == ended["fingerprint"]
    assert client.get(f"{location}/files/report.en.html").headers["content-type"].startswith("text/html")
