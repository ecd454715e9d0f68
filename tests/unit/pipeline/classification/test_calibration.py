from __future__ import annotations

import numpy as np

from pipeline.classification.calibration import fit_pool, held_out_probabilities, softmax, usual_slopes
from pipeline.classification.metrics import calibration_error


def test_calibration_recovers_honest_probabilities() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 4)).astype(np.float32)
    cumulated = np.cumsum(softmax(logits), axis=1)
    labels = np.minimum((cumulated < rng.uniform(size=(4000, 1))).sum(1), 3)
    probabilities = held_out_probabilities([logits * 7], labels, np.arange(4000) % 5)
    confidence, right = probabilities.max(1).astype(float), probabilities.argmax(1) == labels
    assert calibration_error(confidence, right) < 0.03
    raw = softmax(logits * 7)
    assert calibration_error(raw.max(1).astype(float), right) > 0.2


def test_separable_scores_give_no_infinite_confidence() -> None:
    labels = np.arange(40) % 2
    pool = fit_pool([np.where(labels[:, None] == np.arange(2), 1.0, -1.0).astype(np.float32)], labels)
    assert np.isfinite(pool.slopes).all()


def test_without_held_out_scores_every_slope_is_the_usual_one() -> None:
    scores = [np.zeros((0, 3), np.float32)] * 4
    pool = fit_pool(scores, np.zeros(0, np.int64), prior_slopes=usual_slopes(4))
    np.testing.assert_allclose(pool.slopes, 2.25, rtol=1e-4)
    np.testing.assert_allclose(pool.bias, 0, atol=1e-6)


def test_many_labels_outweigh_the_usual_slopes_and_few_do_not() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 2_000)
    useful = np.eye(3, dtype=np.float32)[labels] * 2 - 1 + rng.normal(0, 0.8, (2_000, 3)).astype(np.float32)
    noise = rng.normal(0, 1, (2_000, 3)).astype(np.float32)
    few = fit_pool([useful[:6], noise[:6]], labels[:6], prior_slopes=np.full(2, 3.0, np.float32))
    many = fit_pool([useful, noise], labels, prior_slopes=np.full(2, 3.0, np.float32))
    free = fit_pool([useful, noise], labels)
    assert 0.3 < few.slopes[1] < 4
    assert many.slopes[1] < 0.1
    np.testing.assert_allclose(many.slopes[0], free.slopes[0], rtol=0.02)


def test_held_out_probabilities_are_fitted_on_the_counted_listings_only() -> None:
    labels, folds = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    scores = np.array([[1, -1], [-1, 1], [1, -1], [1, -1]], np.float32)
    counted = np.array([True, True, True, False])
    usual = usual_slopes(1)
    found = held_out_probabilities([scores], labels, folds, prior_slopes=usual, counted=counted)
    first = fit_pool([scores[2:3]], labels[2:3], prior_slopes=usual)
    np.testing.assert_allclose(found[:2], first.probabilities([scores[:2]]), rtol=1e-5)
    alone = held_out_probabilities([scores], labels, folds, prior_slopes=usual, counted=np.zeros(4, bool))
    np.testing.assert_allclose(alone, fit_pool([scores[:0]], labels[:0], prior_slopes=usual).probabilities([scores]))
