import numpy as np

from pipeline.clustering import neighbours
from pipeline.clustering.neighbours import with_neighbours
from pipeline.clustering.reduction import unit_rows

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(3, 40))
LABELS = np.repeat(np.arange(3), 30)
ROWS = unit_rows((CENTRES[LABELS] + 1.5 * RNG.normal(size=(90, 40))).astype(np.float32))


def spread(rows):
    likeness = rows @ rows.T
    same = LABELS[:, None] == LABELS[None, :]
    return likeness[same].mean() - likeness[~same].mean()


def test_listings_of_a_kind_move_together():
    found = with_neighbours(ROWS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)
    assert spread(found) > 1.5 * spread(ROWS)


def test_it_is_the_weighed_mean_of_the_most_alike():
    likeness = ROWS @ ROWS.T
    expected = []
    for row in likeness:
        nearest = np.argsort(-row, kind="stable")[:6]
        expected.append((np.maximum(row[nearest], 0)[:, None] * ROWS[nearest]).sum(axis=0))
    np.testing.assert_allclose(with_neighbours(ROWS, 5), unit_rows(np.array(expected)), atol=1e-4)


def test_the_size_of_a_chunk_changes_nothing(monkeypatch):
    whole = with_neighbours(ROWS)
    monkeypatch.setattr(neighbours, "_CHUNK", 7)
    np.testing.assert_allclose(with_neighbours(ROWS), whole, atol=1e-6)


def test_fewer_listings_than_neighbours_are_all_looked_at():
    assert with_neighbours(ROWS[:4]).shape == (4, 40)
    np.testing.assert_allclose(with_neighbours(ROWS[:1]), ROWS[:1], atol=1e-6)
