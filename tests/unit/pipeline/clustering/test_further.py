"""Spectral clustering and HDBSCAN: what they see, what they cannot, and that they repeat."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.clustering import density, kmeans, spectral
from pipeline.clustering.agreement import adjusted_rand, contingency

TRUTH = np.repeat([0, 1], 60)


def rings() -> NDArray[np.float32]:
    """Two rings, one inside the other: shape (120, 2)."""
    angles = np.tile(np.linspace(0, 2 * np.pi, 60, endpoint=False), 2)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.where(TRUTH == 0, 1.0, 4.0)[:, None]
    return (points + 0.02 * np.random.default_rng(0).normal(size=points.shape)).astype(np.float32)


def agrees(found: NDArray[np.int64]) -> float:
    return float(adjusted_rand(contingency(TRUTH, found)))


def test_rings_are_told_apart_where_k_means_cannot() -> None:
    points = rings()
    assert agrees(kmeans.clusters(points, 2, 0)) < 0.1
    assert agrees(kmeans.clusters(spectral.embedded(points, 2), 2, 0)) == 1.0
    assert agrees(density.clusters(points)) == 1.0


def test_the_same_input_gives_the_same() -> None:
    points = np.random.default_rng(3).normal(size=(300, 20)).astype(np.float32)
    assert (spectral.embedded(points, 9) == spectral.embedded(points, 9)).all()
    assert (density.clusters(points) == density.clusters(points)).all()


@pytest.mark.parametrize(("count", "kinds"), [(10, 3), (10, 81), (40, 39)])
def test_few_listings_of_many_kinds_are_embedded_all_the_same(count: int, kinds: int) -> None:
    found = spectral.embedded(np.random.default_rng(3).normal(size=(count, 4)).astype(np.float32), kinds)
    assert found.shape == (count, min(kinds, count - 2))
    assert np.isfinite(found).all()


def test_what_lies_between_is_noise_and_clusters_have_a_least_size() -> None:
    rng = np.random.default_rng(3)
    near = rng.normal(size=(2, 150, 2)) * 0.05 + np.array([[[0.0, 0.0]], [[10.0, 0.0]]])
    far = rng.uniform(-30, 30, size=(20, 2))
    alike = np.array([50.0, 50.0]) + rng.normal(size=(4, 2)) * 0.01
    found = density.clusters(np.concatenate([near.reshape(-1, 2), far, alike]).astype(np.float32))
    assert len({*found[:150]} - {density.NOISE}) == len({*found[150:300]} - {density.NOISE}) == 1
    assert (found[300:320] == density.NOISE).mean() >= 0.5
    assert (found[320:] == density.NOISE).all(), "fewer than the least size"
    assert np.bincount(found[found >= 0]).min() >= density.SMALLEST


def test_a_graph_in_more_pieces_than_kinds_is_joined_before_it_is_divided() -> None:
    """Six tight heaps in two places: with few neighbours each is a piece; which are told apart is luck."""
    rng = np.random.default_rng(5)
    places = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [20.0, 0.0], [21.0, 0.0], [20.0, 1.0]])
    points = (places[:, None] + 0.01 * rng.normal(size=(6, 20, 2))).reshape(-1, 2).astype(np.float32)
    found = kmeans.clusters(spectral.embedded(points, 2), 2, 0)
    assert agrees(found) == 1.0
