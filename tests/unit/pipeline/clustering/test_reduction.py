"""Dimension reduction: what separates rows stays, dense or sparse, and the same seed gives the same map."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.clustering import reduction
from pipeline.clustering.algorithms import kmeans
from pipeline.clustering.reduction import reduce_features, tsne

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(4, 300))
LABELS = np.repeat(np.arange(4), 30)
ROWS = (CENTRES[LABELS] + 0.4 * RNG.normal(size=(120, 300))).astype(np.float32)
SPARSE = np.where(np.abs(ROWS) > 0.8, ROWS, 0).astype(np.float32)


def test_few_unit_dimensions_keep_what_separates_rows() -> None:
    reduced = reduce_features(ROWS)
    assert reduced.dtype == np.float32
    assert reduced.shape[1] <= reduction.MAX_COMPONENTS
    np.testing.assert_allclose(np.linalg.norm(reduced, axis=1), 1.0, rtol=1e-5)
    cosines = reduced @ reduced.T
    same = LABELS[:, None] == LABELS[None, :]
    assert cosines[same].min() > cosines[~same].max()


def test_a_sparse_matrix_gives_what_the_dense_one_does() -> None:
    np.testing.assert_allclose(reduce_features(sp.csr_matrix(SPARSE)), reduce_features(SPARSE), atol=1e-4)


def test_a_sparse_matrix_too_large_for_a_dense_one_is_centred_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = reduce_features(SPARSE)
    monkeypatch.setattr(reduction, "DENSE_LIMIT", 0)
    reduced = reduce_features(sp.csr_matrix(SPARSE))
    np.testing.assert_allclose(reduced @ reduced.T, usual @ usual.T, atol=0.05)


def test_the_same_rows_and_seed_give_the_same_map_and_another_seed_another() -> None:
    rows = reduce_features(ROWS)
    first = tsne(rows, 3)
    np.testing.assert_array_equal(first, tsne(rows, 3))
    assert not np.array_equal(first, tsne(rows, 4))
    assert len(np.unique(LABELS[np.argsort(kmeans(first, 4, 0), kind="stable")][:30])) == 1


@pytest.mark.parametrize("count", [0, 1, 3, 4, 11])
def test_a_handful_of_listings_is_no_error(count: int) -> None:
    assert tsne(np.asarray(ROWS[:count, :5]), 0).shape == (count, 2)


def test_many_listings_are_laid_out_by_interpolation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduction, "EXACT_TSNE_LIMIT", 50)
    points = tsne(reduce_features(ROWS), 0)
    clusters = kmeans(points, 4, 0)
    assert points.shape == (120, 2)
    assert all(len(set(clusters[label == LABELS])) == 1 for label in range(4))
