from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.classification.estimators import IMAGE_PENALTIES, fit_ridge
from pipeline.classification.feature_join import MAX_MAPPED_COLUMNS, FeatureJoin, NystroemMap, fit_join
from pipeline.classification.targets import Targets
from pipeline.features.extractor import Floats, State, pack_state, unpack_state


def unit_rows(rows: NDArray[np.floating]) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def rings(count: int = 120) -> tuple[Floats, Targets]:
    """Two kinds that no plane separates: around one pole and the opposite one, and around the equator."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    poles = rng.choice([-1.0, 1.0], count)[:, None] * np.array([0.0, 0.0, 3.0])
    angles = rng.uniform(0, 2 * np.pi, count)
    equator = 3 * np.stack([np.cos(angles), np.sin(angles), np.zeros(count)], axis=1)
    vectors = unit_rows(np.where(labels[:, None] == 0, poles, equator) + rng.normal(0, 0.5, (count, 3)))
    return vectors, Targets(labels, 2, np.arange(count) // 2 % 5)


def saved(state: State) -> FeatureJoin:
    again = FeatureJoin.from_state(unpack_state("part", pack_state("part", state)))
    assert again is not None
    return again


def test_a_mapped_vector_separates_what_no_plane_does() -> None:
    vectors, targets = rings()
    plain = fit_ridge(vectors, targets)
    join = fit_join({"network": vectors}, targets)
    mapped = fit_ridge(join({"network": vectors}), targets, IMAGE_PENALTIES)
    assert (plain.held_out.argmax(axis=1) == targets.labels).mean() < 0.75
    assert (mapped.held_out.argmax(axis=1) == targets.labels).mean() > 0.95


def test_between_landmarks_the_inner_products_are_the_kernel() -> None:
    vectors, targets = rings(60)
    join = fit_join({"network": vectors}, targets)
    mapped = join({"network": vectors})
    rooted = unit_rows(np.sign(vectors) * np.sqrt(np.abs(vectors)))
    distances = ((rooted[:, None] - rooted[None]) ** 2).sum(axis=2)
    assert np.allclose(mapped @ mapped.T, np.exp(-join.maps["network"].gamma * distances), atol=0.01)


def test_a_map_of_an_earlier_program_answers_as_it_did() -> None:
    vectors, targets = rings(40)
    axes = fit_join({"network": vectors}, targets).maps["network"].axes
    old = FeatureJoin({"network": 1.0}, {"network": NystroemMap(vectors, axes, 1.5, rooted=False)}).state()
    del old["rooted"]
    expected = np.exp(1.5 * (2 * vectors @ vectors.T - 2)) @ axes
    np.testing.assert_allclose(saved(old)({"network": vectors}), expected, atol=1e-5)


def test_wide_vectors_stay_as_they_are() -> None:
    wide = unit_rows(np.random.default_rng(1).normal(size=(30, MAX_MAPPED_COLUMNS + 1)))
    join = fit_join({"fisher": wide}, Targets(np.arange(30) % 2, 2, np.arange(30) % 5))
    assert join.maps == {}
    assert np.array_equal(join({"fisher": wide}), wide)


def test_an_informative_extractor_weighs_more_than_noise() -> None:
    rng = np.random.default_rng(2)
    labels = np.arange(120) % 3
    informative = unit_rows(np.eye(3)[labels] + rng.normal(0, 0.4, (120, 3)))
    noise = unit_rows(rng.normal(size=(120, MAX_MAPPED_COLUMNS + 1)))
    join = fit_join({"informative": informative, "noise": noise}, Targets(labels, 3, np.arange(120) // 3 % 5))
    assert join.scales["informative"] > join.scales["noise"]
    assert sum(scale**2 for scale in join.scales.values()) == pytest.approx(1)


def test_a_row_of_zeros_stays_one_and_a_saved_join_gives_the_same() -> None:
    vectors, targets = rings(40)
    join = fit_join({"network": vectors}, targets)
    with_zeros = {"network": np.concatenate([vectors, np.zeros((1, 3), np.float32)])}
    assert np.array_equal(join(with_zeros), saved(join.state())(with_zeros))
    assert not join(with_zeros)[-1].any()
    assert FeatureJoin.from_state({}) is None
