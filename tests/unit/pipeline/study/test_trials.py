"""Trials: both protocols find what lies apart, score by the categories only, and repeat."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.domain.errors import InvalidInput
from pipeline.domain.prediction import Modality
from pipeline.domain.study import StudyPlan, StudyProtocol, TrialStatus
from pipeline.study import trials
from pipeline.study.features import Features
from pipeline.study.trials import run_trials
from tests.unit.pipeline.study.fake_steps import silent

PLAN = StudyPlan(seeds=(0, 1, 2), perplexity=10.0)
LABELS = np.repeat(np.arange(3), 20)


def features(*, modality: Modality = Modality.TEXT, spread: float = 0.2, missing: int = 0) -> Features:
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(3, 40))[LABELS] + spread * rng.normal(size=(60, 40))).astype(np.float32)
    present = np.arange(60) >= missing
    matrix[~present] = 0
    return Features("word2vec", modality, matrix, present, 1.5, 1_000, 0)


def test_both_protocols_find_what_lies_apart() -> None:
    result = run_trials(features(missing=2), LABELS, 3, PLAN, silent).result
    for trial, protocol in zip(result.trials, StudyProtocol, strict=True):
        assert (trial.protocol, trial.status, trial.n, trial.reason) == (protocol, TrialStatus.DONE, 58, None)
        assert trial.ari is not None
        assert trial.ari.mean > 0.95
        assert trial.ari.low <= trial.ari.mean <= trial.ari.high
        assert trial.accuracy is not None
        assert trial.accuracy > 0.95
        assert trial.seconds is not None
        assert trial.seconds > 1.5
    assert result.map is not None
    assert len(result.map.rows) == len(result.map.points) == len(result.map.clusters) == 58
    assert result.map.rows[0] == 2
    assert result.map.seed in PLAN.seeds
    assert result.matrix is not None
    assert np.array(result.matrix.matrix).sum() == 58
    assert min(recall or 0 for recall in result.matrix.recall) > 0.9
    json.dumps(result.as_json(), allow_nan=False)


def test_noise_agrees_with_nothing_and_the_same_seed_repeats() -> None:
    noise = features(spread=50.0)
    first, second = (run_trials(noise, LABELS, 3, PLAN, silent).result for _ in range(2))
    assert abs(first.trials[1].mean_ari) < 0.15
    for one, other in zip(first.trials, second.trials, strict=True):
        assert replace(one, seconds=0, memory=0) == replace(other, seconds=0, memory=0)
    assert first.map == second.map


def test_a_map_of_very_many_listings_shows_an_even_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "MAP_LIMIT", 30)
    clustered = run_trials(features(), LABELS, 3, PLAN, silent)
    assert [trial.n for trial in clustered.result.trials] == [60, 30]
    assert clustered.result.map is not None
    assert np.bincount(LABELS[list(clustered.result.map.rows)]).tolist() == [10, 10, 10]
    assert clustered.maps.points.shape == (3, 30, 2)


def test_too_few_listings_are_refused() -> None:
    with pytest.raises(InvalidInput, match="only 5 listings have a usable photo"):
        run_trials(features(modality=Modality.IMAGE, missing=55), LABELS, 3, PLAN, silent)
