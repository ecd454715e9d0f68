"""Other clustering methods beside k-means: on the same data, bounded, and no failure costs another's figures."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.clustering import algorithms
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.study import OPTIONAL_METHODS, ClusteringMethod, Spread, StudyPlan, StudyProtocol, TrialStatus
from pipeline.domain.study_report import ClusteringResult, Trial
from pipeline.study import clustering_comparison
from pipeline.study.clustering_comparison import compare_clusterings, features_to_compare
from pipeline.study.dataset import StudyDataset
from pipeline.study.features import Features
from pipeline.study.study_steps import ClusteredFeatures
from pipeline.study.trials import run_trials
from pipeline.study_report.wording import WORDS
from tests.unit.pipeline.study.fake_steps import done_trial, silent

LIMIT = clustering_comparison.MAX_COMPARED_LISTINGS
PLAN = StudyPlan(seeds=(0, 1), perplexity=10.0, clusterings=OPTIONAL_METHODS)
LABELS = np.repeat(np.arange(3), 40)


def features() -> Features:
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(3, 30))[LABELS] + 0.3 * rng.normal(size=(120, 30))).astype(np.float32)
    present = np.arange(120) >= 2
    matrix[~present] = 0
    return Features("word2vec", Modality.TEXT, matrix, present, 1.5, 1_000, 0)


def dataset() -> StudyDataset:
    texts = [Evidence("a thing")] * 120
    keys = [str(row) for row in range(120)]
    return StudyDataset(1, ("A", "B", "C"), LABELS, "", 120, keys, [None] * 120, texts, texts)


@cache
def clustered() -> ClusteredFeatures:
    return run_trials(features(), LABELS, 3, PLAN, silent)


def compare(plan: StudyPlan = PLAN) -> tuple[ClusteringResult, ...]:
    shares: list[float] = []
    results = compare_clusterings(features(), clustered().maps, dataset(), plan, lambda share, _: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] < 1
    json.dumps([result.as_json() for result in results], allow_nan=False)
    return results


def without_time(results: tuple[ClusteringResult, ...]) -> list[ClusteringResult]:
    return [replace(result, seconds=0) for result in results]


def test_k_means_has_the_figures_of_its_trial() -> None:
    results = compare()
    assert [(result.protocol, result.method) for result in results] == [
        (protocol, method) for protocol in (StudyProtocol.B, StudyProtocol.A) for method in ClusteringMethod
    ]
    for result, trial in zip((results[3], results[0]), clustered().result.trials, strict=True):
        assert result.ari == trial.ari
        assert (result.n, result.total, result.clusters, result.noise) == (118, 118, 3.0, None)
    for result in results:
        assert result.status is TrialStatus.DONE
        assert result.ari is not None
        assert result.ari.low <= result.ari.mean <= result.ari.high
        assert result.ari.mean > (0.3 if result.method is ClusteringMethod.HDBSCAN else 0.95)
    for result in (results[2], results[5]):
        assert result.noise is not None
        assert 0 <= result.noise < 1
        assert result.clusters is not None
        assert result.clusters >= 1


def test_only_the_methods_of_the_plan_are_tried_and_they_repeat() -> None:
    plan = StudyPlan(seeds=(0, 1), clusterings=(ClusteringMethod.SPECTRAL,))
    results = compare(plan)
    assert [result.method for result in results] == [ClusteringMethod.KMEANS, ClusteringMethod.SPECTRAL] * 2
    assert without_time(results) == without_time(compare(plan))


def test_of_very_many_listings_a_sample_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering_comparison, "MAX_COMPARED_LISTINGS", 60)
    assert f"{LIMIT:,}" in WORDS["clusterings_sampled"]
    results = compare()
    assert [(result.n, result.total) for result in results] == [(60, 118)] * 6
    assert all(result.status is TrialStatus.DONE for result in results)


def test_noise_counts_as_one_more_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def middle_only(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """The second category is a cluster, the others are noise."""
        return np.where(np.arange(len(vectors)) < 38, -1, np.where(np.arange(len(vectors)) < 78, 0, -1))

    monkeypatch.setattr(algorithms, "hdbscan", middle_only)
    result = compare()[2]
    assert result.noise is not None
    assert result.ari is not None
    assert (result.clusters, round(result.noise, 3)) == (1.0, round(78 / 118, 3))
    assert 0.4 < result.ari.mean < 0.6


def test_a_method_that_fails_costs_its_own_results(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_given: object) -> None:
        raise RuntimeError("no convergence")

    monkeypatch.setattr(algorithms, "spectral_embedding", endless)
    results = compare()
    done, failed = TrialStatus.DONE, TrialStatus.FAILED
    assert [result.status for result in results] == [done, failed, done] * 2
    assert (results[1].ari, str(results[1].reason)) == (None, "RuntimeError: no convergence")


def test_the_best_of_each_modality_under_b_is_chosen() -> None:
    def trials(name: str, modality: Modality, ari: float) -> list[Trial]:
        # Protocol A says the opposite.
        values = {StudyProtocol.A: 1 - ari, StudyProtocol.B: ari}
        return [done_trial(name, modality, protocol, Spread.of([value])) for protocol, value in values.items()]

    unavailable = Trial.without_figures("vgg16", Modality.IMAGE, TrialStatus.FAILED, Reason.other("no memory"))
    found = [
        *trials("tfidf", Modality.TEXT, 0.5),
        *trials("word2vec", Modality.TEXT, 0.6),
        *trials("fisher", Modality.IMAGE, 0.2),
        *unavailable,
    ]
    assert features_to_compare(found) == ["word2vec", "fisher"]
