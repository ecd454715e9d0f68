"""Measures of agreement: those of scikit-learn, and intervals that contain the figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from pipeline.clustering.agreement import (
    adjusted_rand_index,
    ari_spread,
    assign_categories,
    contingency_table,
    measure_agreement,
)

Labels = NDArray[np.int64]
LABELS: Labels = np.repeat(np.arange(4), 25)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=2, max_size=80))
def test_the_adjusted_rand_index_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, clusters = np.array(pairs, np.int64).T
    found = float(adjusted_rand_index(contingency_table(labels, clusters)))
    assert found == pytest.approx(adjusted_rand_score(labels, clusters), abs=1e-12)


def test_clusters_that_are_the_categories_agree_entirely_whatever_their_numbers() -> None:
    clusters = (LABELS + 3) % 4
    points = LABELS[:, None] * 10.0 + np.random.default_rng(0).normal(size=(100, 2))
    found = measure_agreement(LABELS, clusters, points.astype(np.float32))
    assert (found.ari, found.accuracy) == (1.0, 1.0)
    assert found.ami == pytest.approx(1.0)
    assert found.v_measure == pytest.approx(1.0)
    assert found.silhouette is not None
    assert found.silhouette > 0.5
    np.testing.assert_array_equal(assign_categories(LABELS, clusters), LABELS)


def test_random_clusters_do_not_agree() -> None:
    clusters = np.random.default_rng(1).integers(0, 4, 100)
    assert abs(measure_agreement(LABELS, clusters, np.zeros((100, 2), np.float32)).ari) < 0.1


def test_a_cluster_left_over_gets_its_most_frequent_category() -> None:
    clusters = np.where(LABELS == 0, np.arange(100) % 2 * 4, LABELS)
    assert set(assign_categories(LABELS, clusters)[LABELS == 0]) == {0}


def test_one_cluster_has_no_silhouette() -> None:
    found = measure_agreement(LABELS, np.zeros(100, np.int64), np.zeros((100, 2), np.float32))
    assert found.silhouette is None
    assert found.ari == pytest.approx(0.0)


def test_the_interval_contains_the_mean_and_narrows_with_more_listings() -> None:
    rng = np.random.default_rng(2)

    def clustering(labels: Labels) -> Labels:
        return np.where(rng.random(len(labels)) < 0.2, rng.integers(0, 4, len(labels)), labels)

    widths = []
    for labels in (LABELS, np.repeat(np.arange(4), 1000)):
        clusterings = [clustering(labels) for _ in range(3)]
        spread = ari_spread(labels, clusterings)
        mean = np.mean([adjusted_rand_score(labels, each) for each in clusterings])
        assert spread.mean == pytest.approx(mean)
        assert spread.low < mean < spread.high
        widths.append(spread.high - spread.low)
    assert widths[1] < widths[0] / 2


def test_the_interval_contains_the_figure_where_clusters_are_small() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(60), 4)
    clusters = np.where(rng.random(240) < 0.35, labels, rng.integers(0, 60, 240))
    spread = ari_spread(labels, [clusters])
    assert spread.low < spread.mean < spread.high
