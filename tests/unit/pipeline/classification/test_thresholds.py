from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.thresholds import LOWEST_THRESHOLD, NEVER, choose_thresholds, lower_bound

TARGET = 0.95


def test_a_threshold_gives_the_wanted_precision_on_fresh_listings() -> None:
    rng = np.random.default_rng(0)

    def drawn(count: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        confidence = rng.uniform(0.4, 1.0, count)
        return rng.integers(0, 2, count), confidence, rng.uniform(size=count) < confidence

    chosen = choose_thresholds(["a", "b"], *drawn(3000), TARGET)
    predicted, confidence, right = drawn(20_000)
    for index, name in enumerate(["a", "b"]):
        accepted = (predicted == index) & (confidence >= chosen.of(name))
        assert accepted.mean() > 0.03
        assert right[accepted].mean() >= 0.94


def test_a_hopeless_category_is_never_assigned_nor_an_unknown_one() -> None:
    right = np.repeat([True, False], 200)
    chosen = choose_thresholds(["good", "bad"], np.repeat([0, 1], 200), np.full(400, 0.9), right, TARGET)
    assert chosen.of("bad") == NEVER
    assert chosen.of("unheard of") == NEVER


def test_a_handful_of_listings_proves_nothing() -> None:
    chosen = choose_thresholds(["a"], np.zeros(6, int), np.linspace(0.5, 1, 6), np.ones(6, bool), TARGET)
    assert chosen.of("a") == NEVER


def test_the_lower_bound_is_wilsons() -> None:
    np.testing.assert_allclose(lower_bound(np.array([0.0, 90.0]), np.array([0.0, 100.0])), [0.0, 0.8547], atol=1e-3)


def test_no_threshold_is_below_the_lowest_however_well_the_held_out_listings_went() -> None:
    confidence = np.linspace(0.05, 1, 500)
    chosen = choose_thresholds(["a"], np.zeros(500, int), confidence, np.ones(500, bool), TARGET)
    assert chosen.of("a") == LOWEST_THRESHOLD
