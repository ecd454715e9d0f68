import numpy as np
import pytest

from pipeline.classification.estimators import IMAGE_PENALTIES, fit_ridge
from pipeline.classification.nystroem import COMPACT, FeatureJoin, NystroemMap, fit_join
from pipeline.features.extractor import pack_state, unpack_state


def units(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def rings(count=120, seed=0):
    """Two kinds that no plane parts: around one pole and the opposite one, and around the equator."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    poles = rng.choice([-1.0, 1.0], count)[:, None] * np.array([0.0, 0.0, 3.0])
    angles = rng.uniform(0, 2 * np.pi, count)
    equator = 3 * np.stack([np.cos(angles), np.sin(angles), np.zeros(count)], axis=1)
    return units(np.where(labels[:, None] == 0, poles, equator) + rng.normal(0, 0.5, (count, 3))), labels


def test_a_lifted_vector_tells_apart_what_no_plane_does():
    vectors, labels = rings()
    folds = np.arange(len(labels)) // 2 % 5
    flat = fit_ridge(vectors, labels, 2, folds)
    join = fit_join({"network": vectors}, labels, 2, folds)
    lifted = fit_ridge(join({"network": vectors}), labels, 2, folds, IMAGE_PENALTIES)
    assert (flat.held_out.argmax(axis=1) == labels).mean() < 0.75
    assert (lifted.held_out.argmax(axis=1) == labels).mean() > 0.95


def test_between_landmarks_the_inner_products_are_the_kernel():
    vectors, labels = rings(60)
    join = fit_join({"network": vectors}, labels, 2, np.arange(60) % 5)
    lifted = join({"network": vectors})
    rooted = units(np.sign(vectors) * np.sqrt(np.abs(vectors)))
    apart = ((rooted[:, None] - rooted[None]) ** 2).sum(axis=2)
    assert np.allclose(lifted @ lifted.T, np.exp(-join.lifts["network"].gamma * apart), atol=0.01)


def test_a_lift_of_an_earlier_program_answers_as_it_did():
    vectors, labels = rings(40)
    lift = fit_join({"network": vectors}, labels, 2, np.arange(40) % 5).lifts["network"]
    old = FeatureJoin({"network": 1.0}, {"network": NystroemMap(vectors, lift.axes, 1.5, rooted=False)}).state()
    del old["rooted"]
    again = FeatureJoin.from_state(unpack_state("part", pack_state("part", old)))
    expected = np.exp(1.5 * (2 * vectors @ vectors.T - 2)) @ lift.axes
    np.testing.assert_allclose(again({"network": vectors}), expected, atol=1e-5)


def test_wide_vectors_stay_as_they_are():
    rng = np.random.default_rng(1)
    wide = units(rng.normal(size=(30, COMPACT + 1)))
    join = fit_join({"fisher": wide}, np.arange(30) % 2, 2, np.arange(30) % 5)
    assert join.lifts == {}
    assert join({"fisher": wide}) is wide or np.array_equal(join({"fisher": wide}), wide)


def test_the_extractor_that_knows_weighs_more_than_the_one_that_guesses():
    rng = np.random.default_rng(2)
    labels = np.arange(120) % 3
    knows = units(np.eye(3)[labels] + rng.normal(0, 0.4, (120, 3)))
    guesses = units(rng.normal(size=(120, COMPACT + 1)))
    join = fit_join({"knows": knows, "guesses": guesses}, labels, 3, np.arange(120) // 3 % 5)
    assert join.scales["knows"] > join.scales["guesses"]
    assert sum(scale**2 for scale in join.scales.values()) == pytest.approx(1)


def test_a_row_of_zeros_stays_one_and_a_saved_join_gives_the_same():
    vectors, labels = rings(40)
    join = fit_join({"network": vectors}, labels, 2, np.arange(40) % 5)
    again = FeatureJoin.from_state(unpack_state("part", pack_state("part", join.state())))
    both = {"network": np.concatenate([vectors, np.zeros((1, 3), np.float32)])}
    assert np.array_equal(join(both), again(both))
    assert not join(both)[-1].any()
    assert FeatureJoin.from_state({}) is None
