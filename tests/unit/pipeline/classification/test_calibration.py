from __future__ import annotations

import numpy as np

from pipeline.classification.calibration import fit_pool, held_out_probabilities, softmax
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
