"""Clustering methods: what each finds where the others cannot, and that the same input gives the same clusters."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.clustering import algorithms
from pipeline.clustering.agreement import adjusted_rand_index, contingency_table
from pipeline.clustering.algorithms import MINI_BATCH_LIMIT, NOISE, hdbscan, kmeans, spectral_embedding

TRUTH = np.repeat([0, 1], 60)


def rings() -> NDArray[np.float32]:
    """Two rings, one inside the other: shape (120, 2)."""
    angles = np.tile(np.linspace(0, 2 * np.pi, 60, endpoint=False), 2)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.where(TRUTH == 0, 1.0, 4.0)[:, None]
    return (points + 0.02 * np.random.default_rng(0).normal(size=points.shape)).astype(np.float32)


def ari(clusters: NDArray[np.int64]) -> float:
    return float(adjusted_rand_index(contingency_table(TRUTH, clusters)))


def test_rings_are_separated_where_k_means_cannot() -> None:
    points = rings()
    assert ari(kmeans(points, 2, 0)) < 0.1
    assert ari(kmeans(spectral_embedding(points, 2), 2, 0)) == 1.0
    assert ari(hdbscan(points)) == 1.0


def test_the_same_input_gives_the_same() -> None:
    points = np.random.default_rng(3).normal(size=(300, 20)).astype(np.float32)
    assert (spectral_embedding(points, 9) == spectral_embedding(points, 9)).all()
    assert (hdbscan(points) == hdbscan(points)).all()


@pytest.mark.parametrize(("count", "n_clusters"), [(10, 3), (10, 81), (40, 39)])
def test_few_rows_for_many_clusters_are_embedded_all_the_same(count: int, n_clusters: int) -> None:
    embedding = spectral_embedding(np.random.default_rng(3).normal(size=(count, 4)).astype(np.float32), n_clusters)
    assert embedding.shape == (count, min(n_clusters, count - 2))
    assert np.isfinite(embedding).all()


def test_scattered_rows_are_noise_and_clusters_have_a_minimum_size() -> None:
    rng = np.random.default_rng(3)
    near = rng.normal(size=(2, 150, 2)) * 0.05 + np.array([[[0.0, 0.0]], [[10.0, 0.0]]])
    far = rng.uniform(-30, 30, size=(20, 2))
    few = np.array([50.0, 50.0]) + rng.normal(size=(4, 2)) * 0.01
    clusters = hdbscan(np.concatenate([near.reshape(-1, 2), far, few]).astype(np.float32))
    assert len({*clusters[:150]} - {NOISE}) == len({*clusters[150:300]} - {NOISE}) == 1
    assert (clusters[300:320] == NOISE).mean() >= 0.5
    assert (clusters[320:] == NOISE).all(), "fewer than the minimum size"
    assert np.bincount(clusters[clusters >= 0]).min() >= algorithms.MIN_CLUSTER_SIZE


def test_a_graph_of_more_components_than_clusters_is_joined_first() -> None:
    """Six tight heaps in two places: with few neighbours each is a component, and which are separated is luck."""
    rng = np.random.default_rng(5)
    places = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [20.0, 0.0], [21.0, 0.0], [20.0, 1.0]])
    points = (places[:, None] + 0.01 * rng.normal(size=(6, 20, 2))).reshape(-1, 2).astype(np.float32)
    assert ari(kmeans(spectral_embedding(points, 2), 2, 0)) == 1.0


def test_there_are_no_more_clusters_than_distinct_rows() -> None:
    assert len(set(kmeans(np.zeros((10, 2), np.float32), 4, 0))) == 1


def test_very_many_rows_are_clustered_by_small_batches() -> None:
    rng, each = np.random.default_rng(0), MINI_BATCH_LIMIT // 3
    rows = np.concatenate([rng.normal(20 * place, 1, (each, 2)) for place in range(4)]).astype(np.float32)
    assert sorted(np.bincount(kmeans(rows, 4, 0))) == [each] * 4
