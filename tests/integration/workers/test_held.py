"""A model that this program cannot read holds what waits for it; the next training lets it go."""

from __future__ import annotations

from typing import Any

import pytest

from infra.store.models.repository import SqlModels
from pipeline.classification.trained_model import TrainedModel
from pipeline.domain.errors import BadArtefact
from pipeline.steps.categorise import categorise
from tests.integration.workers.conftest import Bench
from tests.integration.workers.test_claims import claim

SAID = "the saved extractor is tfidf version 0, expected tfidf version 1; train a new model"


def refuse(files: Any) -> TrainedModel:
    """What another version of an extractor says to the files of a model."""
    raise BadArtefact(SAID)


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this program is another version than the one that saved the models."""
    monkeypatch.setattr(TrainedModel, "from_files", refuse)


def work_through(bench: Bench) -> None:
    """Let a worker take what is due, until nothing is."""
    while batches := bench.take():
        for batch in batches:
            bench.work(batch)


def held(bench: Bench, times: int) -> None:
    """Let a worker try what waits so many times."""
    for _ in range(times):
        bench.ready()
        work_through(bench)


def test_held_jobs_wait_with_a_delay_and_nothing_counts_against_them(bench: Bench, unreadable: None) -> None:
    bench.add_model()
    bench.post("a", "b")
    held(bench, 2 * bench.context.settings.attempt_limit)
    assert bench.states() == ["waiting", "waiting"]
    assert bench.rows("SELECT DISTINCT failures, deaths_alone FROM jobs") == [(0, 0)]
    assert bench.value("SELECT count(*) FROM dead_letters") == 0
    assert bench.value("SELECT count(*) FROM decisions") == 0
    assert bench.take() == []
    assert bench.value("SELECT min(not_before) > now() + interval '1 minute' FROM jobs")
    assert SAID in bench.value("SELECT min(note) FROM jobs")
    assert bench.rows("SELECT problem FROM model_versions") == [(SAID,)]


def test_however_long_a_job_is_held_its_history_stays_short(bench: Bench, unreadable: None) -> None:
    bench.add_model()
    bench.post("a")
    held(bench, 5)
    assert bench.rows("SELECT attempt, outcome, error FROM attempts") == [(5, "requeued", SAID)]


def test_a_promotion_lets_held_jobs_go_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add_model()
    bench.post("a", "b")
    with monkeypatch.context() as other:
        other.setattr(TrainedModel, "from_files", refuse)
        held(bench, 1)
    new = bench.add_model(promote=False)
    with bench.context.engine.begin() as connection:
        assert SqlModels(connection).promote(new) == 2
    (batch,) = bench.take()
    bench.work(batch)
    assert bench.states() == ["done", "done"]
    assert bench.rows("SELECT DISTINCT model_id FROM decisions") == [(new,)]


def test_a_promotion_while_a_job_is_being_held_sends_it_back_at_once(bench: Bench, unreadable: None) -> None:
    bench.add_model()
    bench.post("a")
    (batch,) = bench.take()
    in_flight = claim(bench, batch.job_ids)
    new = bench.add_model()
    categorise(bench.child.categorise_context, in_flight)
    assert bench.value("SELECT not_before <= now() FROM jobs")
    assert bench.rows(f"SELECT problem FROM model_versions WHERE id = {new}") == [(None,)]


def test_a_worker_that_can_read_the_model_takes_the_problem_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add_model()
    bench.post("a")
    with monkeypatch.context() as other:
        other.setattr(TrainedModel, "from_files", refuse)
        held(bench, 1)
    assert bench.rows("SELECT problem FROM model_versions") == [(SAID,)]
    held(bench, 1)
    assert bench.states() == ["done"]
    assert bench.rows("SELECT problem FROM model_versions") == [(None,)]
