"""Jobs of a model that this program cannot read wait, until another version is promoted or a program can read it."""

from __future__ import annotations

import pytest

from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.errors import BadArtefact
from pipeline.steps.categorise import categorise
from pipeline.steps.models import promote
from tests.integration.workers.conftest import Bench
from tests.integration.workers.test_claims import claim

PROBLEM = "the saved extractor is tfidf version 0, expected tfidf version 1; train a new model"


def refuse(_files: object) -> TrainedModel:
    """Raise what another version of an extractor raises for the files of a model."""
    raise BadArtefact(PROBLEM)


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """This program is another version than the one that saved the models."""
    monkeypatch.setattr(TrainedModel, "from_files", refuse)


def work_through(bench: Bench) -> None:
    """Let a worker do the jobs that are due, until none is."""
    while batches := bench.take():
        for batch in batches:
            bench.work(batch)


def attempt(bench: Bench, times: int) -> None:
    """Let a worker attempt every waiting job that many times."""
    for _ in range(times):
        bench.ready()
        work_through(bench)


@pytest.mark.usefixtures("unreadable")
def test_jobs_on_hold_wait_with_a_delay_and_no_failure_is_counted(bench: Bench) -> None:
    bench.add_model()
    bench.post("a", "b")
    attempt(bench, 2 * bench.context.settings.attempt_limit)
    assert bench.states() == ["waiting", "waiting"]
    assert bench.rows("SELECT DISTINCT failures, deaths_alone FROM jobs") == [(0, 0)]
    assert bench.value("SELECT count(*) FROM dead_letters") == 0
    assert bench.value("SELECT count(*) FROM decisions") == 0
    assert bench.take() == []
    assert bench.value("SELECT min(not_before) > now() + interval '1 minute' FROM jobs")
    assert PROBLEM in bench.value("SELECT min(note) FROM jobs")
    assert bench.rows("SELECT problem FROM model_versions") == [(PROBLEM,)]


@pytest.mark.usefixtures("unreadable")
def test_however_long_a_job_is_on_hold_its_history_stays_short(bench: Bench) -> None:
    bench.add_model()
    bench.post("a")
    attempt(bench, 5)
    assert bench.rows("SELECT attempt, outcome, error FROM attempts") == [(5, "requeued", PROBLEM)]


def test_a_promotion_releases_jobs_on_hold_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add_model()
    bench.post("a", "b")
    with monkeypatch.context() as other:
        other.setattr(TrainedModel, "from_files", refuse)
        attempt(bench, 1)
    new = bench.add_model(promote=False)
    assert promote(bench.context.units, new) == 2
    (batch,) = bench.take()
    bench.work(batch)
    assert bench.states() == ["done", "done"]
    assert bench.rows("SELECT DISTINCT model_id FROM decisions") == [(new,)]


@pytest.mark.usefixtures("unreadable")
def test_a_promotion_during_the_attempt_returns_the_job_at_once(bench: Bench) -> None:
    bench.add_model()
    bench.post("a")
    (batch,) = bench.take()
    in_flight = claim(bench, batch.job_ids)
    new = bench.add_model()
    categorise(bench.child.categorise_context, in_flight)
    assert bench.value("SELECT not_before <= now() FROM jobs")
    assert bench.rows(f"SELECT problem FROM model_versions WHERE id = {new}") == [(None,)]


def test_a_worker_that_can_read_the_model_clears_the_problem(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add_model()
    bench.post("a")
    with monkeypatch.context() as other:
        other.setattr(TrainedModel, "from_files", refuse)
        attempt(bench, 1)
    assert bench.rows("SELECT problem FROM model_versions") == [(PROBLEM,)]
    attempt(bench, 1)
    assert bench.states() == ["done"]
    assert bench.rows("SELECT problem FROM model_versions") == [(None,)]
