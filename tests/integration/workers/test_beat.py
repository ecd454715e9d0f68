"""Beat: each period gets one run, however many beats there are, and whenever they were started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.domain.study import StudyPlan
from tests.integration.workers.conftest import Bench
from tests.integration.workers.study_bench import StudyBench
from tests.integration.workers.test_relay import until
from tests.unit.pipeline.study.fake_steps import FakeStudySteps
from workers.beat import PeriodicSchedule, beat_service, period
from workers.celery_app import create_celery

EVERY = 2
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PLANNED = (
    "SELECT (payload ->> 'period')::bigint FROM jobs WHERE kind = 'study' AND payload ->> 'stage' = 'plan' ORDER BY 1"
)
DUE = """
    INSERT INTO jobs (kind, priority, queue, payload)
    VALUES ('study', 'pipeline', 'training', jsonb_build_object('stage', 'plan', 'period', 1))
"""


@contextmanager
def beating(bench: Bench, redis_url: str, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A beat of its own process, as ``rayon beat`` starts it; ``more`` is added to its environment."""
    settings = bench.context.settings
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAYON_")},
        "DATABASE_URL": settings.database_url,
        "BROKER_URL": redis_url,
        "RAYON_HOME": str(settings.home),
        "RAYON_STUDY_EVERY": str(EVERY),
        "RAYON_FETCH_WEIGHTS": "none",  # no test asks the internet
        **more,
    }
    with log.open("w") as stream:
        process = subprocess.Popen([sys.executable, "-m", "workers.cli", "beat"], env=environment, stderr=stream)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.timeout(120)
def test_two_beats_with_a_period_of_seconds_run_one_study_a_period(
    bench: Bench, redis_url: str, tmp_path: Path
) -> None:
    studies = StudyBench(bench, FakeStudySteps())
    studies.stock()
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    with ExitStack() as stack:
        beats = [stack.enter_context(beating(bench, redis_url, log)) for log in logs]

        def three_periods_of_both() -> bool:
            studies.step()
            due = [log.read_text().count("study is due") for log in logs]
            return min(due) >= 3 and bench.value("SELECT count(*) FROM studies WHERE status = 'done'") >= 3

        until(three_periods_of_both, 90)
        assert [beat.poll() for beat in beats] == [None, None]
    told = "".join(log.read_text() for log in logs)
    planned = [number for (number,) in bench.rows(PLANNED)]
    assert planned == list(range(planned[0], planned[-1] + 1)), "no period is left out"
    assert told.count("study is due: added") == len(planned)
    assert told.count("study is due: already there") >= 2
    studies.work()
    studied = [key for (key,) in bench.rows("SELECT unique_key FROM studies ORDER BY id")]
    assert len(set(studied)) == len(studied)
    assert {key.rpartition(":")[2] for key in studied} <= {str(number) for number in planned}
    assert bench.rows("SELECT DISTINCT status FROM studies") == [("done",)]
    assert bench.value("SELECT count(*) FROM studies WHERE requested_by IS NOT NULL") == 0


def test_a_taxonomy_with_few_labelled_listings_is_not_studied_unasked(bench: Bench) -> None:
    studies = StudyBench(bench, FakeStudySteps())
    studies.stock(10)
    bench.run(DUE)
    studies.work()
    assert bench.value("SELECT count(*) FROM studies") == 0
    assert "nothing to begin" in bench.value("SELECT note FROM jobs WHERE kind = 'study'")


def test_a_study_that_runs_is_not_joined_by_one_that_is_due(bench: Bench) -> None:
    studies = StudyBench(bench, FakeStudySteps())
    studies.stock()
    studies.begin(StudyPlan(extractors=("tfidf",)))
    bench.run(DUE)
    studies.work()
    assert bench.rows("SELECT requested_by, status FROM studies") == [("a test", "done")]


def test_a_period_is_due_once_and_again_when_it_could_not_be_inserted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    entry = PeriodicSchedule(100.0)
    assert entry.is_due(LONG_AGO) == (False, 10.0)
    now += 10
    for _ in range(2):
        assert entry.is_due(LONG_AGO) == (True, 5.0)
    entry.inserted_period = period(now, 100.0)
    assert entry.is_due(LONG_AGO) == (False, 90.0)
    now += 90
    assert entry.is_due(LONG_AGO)[0]


def test_without_a_period_no_study_is_begun(bench: Bench) -> None:
    settings = bench.context.settings.model_copy(update={"broker_url": "redis://127.0.0.1:1/0"})
    entries = beat_service(create_celery(settings), bench.context.units, study_every=0).scheduler.schedule
    assert set(entries) == {"purge"}
    entries = beat_service(create_celery(settings), bench.context.units).scheduler.schedule
    assert {name: getattr(entry.schedule, "seconds", None) for name, entry in entries.items()} == {
        "purge": 86400,
        "study": 7 * 86400,
    }
