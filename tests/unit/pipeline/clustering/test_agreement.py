import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from pipeline.clustering.agreement import adjusted_rand, agree, assigned, contingency, interval

LABELS = np.repeat(np.arange(4), 25)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=2, max_size=80))
def test_the_adjusted_rand_index_is_that_of_scikit_learn(pairs):
    labels, clusters = np.array(pairs, np.int64).T
    found = float(adjusted_rand(contingency(labels, clusters)))
    assert found == pytest.approx(adjusted_rand_score(labels, clusters), abs=1e-12)


def test_clusters_that_are_the_categories_agree_entirely_whatever_their_numbers():
    clusters = (LABELS + 3) % 4
    points = LABELS[:, None] * 10.0 + np.random.default_rng(0).normal(size=(100, 2))
    found = agree(LABELS, clusters, points.astype(np.float32))
    assert (found.ari, found.accuracy) == (1.0, 1.0)
    assert found.ami == pytest.approx(1.0)
    assert found.v_measure == pytest.approx(1.0)
    assert found.silhouette is not None
    assert found.silhouette > 0.5
    np.testing.assert_array_equal(assigned(LABELS, clusters), LABELS)


def test_clusters_drawn_by_lot_agree_to_nothing():
    clusters = np.random.default_rng(1).integers(0, 4, 100)
    assert abs(agree(LABELS, clusters, np.zeros((100, 2), np.float32)).ari) < 0.1


def test_a_cluster_left_over_gets_its_most_frequent_category():
    clusters = np.where(LABELS == 0, np.arange(100) % 2 * 4, LABELS)
    assert set(assigned(LABELS, clusters)[LABELS == 0]) == {0}


def test_one_cluster_has_no_silhouette():
    found = agree(LABELS, np.zeros(100, np.int64), np.zeros((100, 2), np.float32))
    assert found.silhouette is None
    assert found.ari == pytest.approx(0.0)


def test_the_interval_holds_the_index_and_narrows_with_more_listings():
    rng = np.random.default_rng(2)

    def clustering(labels):
        return np.where(rng.random(len(labels)) < 0.2, rng.integers(0, 4, len(labels)), labels)

    few, many = LABELS, np.repeat(np.arange(4), 1000)
    widths = []
    for labels in (few, many):
        clusterings = [clustering(labels) for _ in range(3)]
        low, high = interval(labels, clusterings)
        mean = np.mean([adjusted_rand_score(labels, each) for each in clusterings])
        assert low < mean < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_the_interval_holds_the_figure_where_clusters_are_small():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(60), 4)
    clusters = np.where(rng.random(240) < 0.35, labels, rng.integers(0, 60, 240))
    figure = agree(labels, clusters, rng.normal(size=(240, 2)).astype(np.float32)).ari
    low, high = interval(labels, [clusters])
    assert low < figure < high
