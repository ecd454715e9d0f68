import numpy as np
import pytest
import scipy.sparse as sp

from pipeline.clustering import reduction
from pipeline.clustering.kmeans import MINI_BATCH, clusters

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(4, 300))
LABELS = np.repeat(np.arange(4), 30)
ROWS = (CENTRES[LABELS] + 0.4 * RNG.normal(size=(120, 300))).astype(np.float32)


def test_few_numbers_of_unit_length_keep_what_tells_rows_apart():
    found = reduction.reduced(ROWS)
    assert found.dtype == np.float32
    assert found.shape[1] <= reduction.MOST
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)
    likeness = found @ found.T
    same = LABELS[:, None] == LABELS[None, :]
    assert likeness[same].min() > likeness[~same].max()


def test_a_sparse_matrix_gives_what_the_dense_one_does():
    thin = np.where(np.abs(ROWS) > 0.8, ROWS, 0).astype(np.float32)
    np.testing.assert_allclose(reduction.reduced(sp.csr_matrix(thin)), reduction.reduced(thin), atol=1e-4)


def test_a_sparse_matrix_too_large_to_fill_is_centred_all_the_same(monkeypatch):
    thin = np.where(np.abs(ROWS) > 0.8, ROWS, 0).astype(np.float32)
    usual = reduction.reduced(thin)
    monkeypatch.setattr(reduction, "FILLED", 0)
    found = reduction.reduced(sp.csr_matrix(thin))
    np.testing.assert_allclose(found @ found.T, usual @ usual.T, atol=0.05)


def test_the_same_rows_and_seed_give_the_same_plane_and_another_seed_another():
    rows = reduction.reduced(ROWS)
    first = reduction.plane(rows, 3)
    np.testing.assert_array_equal(first, reduction.plane(rows, 3))
    assert not np.array_equal(first, reduction.plane(rows, 4))
    assert len(np.unique(LABELS[np.argsort(clusters(first, 4, 0), kind="stable")][:30])) == 1


@pytest.mark.parametrize("count", [0, 1, 3, 4, 11])
def test_a_handful_of_listings_is_no_error(count):
    assert reduction.plane(np.asarray(ROWS[:count, :5]), 0).shape == (count, 2)


def test_many_listings_are_laid_out_by_interpolation(monkeypatch):
    monkeypatch.setattr(reduction, "EXACT", 50)
    plane = reduction.plane(reduction.reduced(ROWS), 0)
    found = clusters(plane, 4, 0)
    assert plane.shape == (120, 2)
    assert all(len(set(found[label == LABELS])) == 1 for label in range(4))


def test_more_clusters_than_different_rows_are_not_asked_for():
    assert len(set(clusters(np.zeros((10, 2), np.float32), 4, 0))) == 1


def test_very_many_rows_are_clustered_by_small_batches():
    rows = np.concatenate([RNG.normal(at * 20, 1, (MINI_BATCH // 3, 2)) for at in range(4)]).astype(np.float32)
    found = clusters(rows, 4, 0)
    assert sorted(np.bincount(found)) == [MINI_BATCH // 3] * 4
