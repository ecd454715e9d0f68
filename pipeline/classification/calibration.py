"""Calibration: scores to probabilities, by a slope for each source of scores and a bias for each category.

Both are fitted on held-out scores. With one source this is temperature scaling with biases (Guo et al., "On Calibration
of Modern Neural Networks", 2017); with several it is a logistic opinion pool, which also fuses text and photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.features.extractor import Floats

_BIAS_PENALTY = 2.0
_ROUNDS = 300


@dataclass(frozen=True, slots=True)
class Pool:
    """``slopes`` of shape (sources,), not negative, and ``bias`` of shape (categories,)."""

    slopes: Floats
    bias: Floats

    def probabilities(self, sources: Sequence[Floats]) -> Floats:
        """Sources of shape (n, categories) each, to probabilities of that shape, whose rows sum to 1."""
        joint = self.bias + sum(slope * source for slope, source in zip(self.slopes, sources, strict=True))
        return softmax(joint)


def softmax(logits: Floats) -> Floats:
    """Probabilities row by row, without overflow."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def log_probabilities(probabilities: Floats) -> Floats:
    """Natural logarithms of probabilities, floored at 1e-5 so that no source can veto the others."""
    result: Floats = np.log(np.maximum(probabilities, 1e-5)).astype(np.float32)
    return result


def fit_pool(sources: Sequence[Floats], labels: NDArray[np.int64], bias_penalty: float = _BIAS_PENALTY) -> Pool:
    """Fit by maximum likelihood of the labels, the biases held near 0 by a quadratic penalty.

    The sources are held-out scores of shape (n, categories).
    """
    from scipy.optimize import minimize  # only training needs the optimiser

    count, n_categories = sources[0].shape
    stacked = np.stack([np.asarray(source, np.float64) for source in sources])
    rows = np.arange(count)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slopes, bias = np.exp(parameters[: len(sources)]), parameters[len(sources) :]
        joint = np.tensordot(slopes, stacked, axes=1) + bias
        top = joint.max(axis=1, keepdims=True)
        shares = np.exp(joint - top)
        total = shares.sum(axis=1, keepdims=True)
        log_likelihood = joint[rows, labels] - (top + np.log(total))[:, 0]
        residual = shares / total
        residual[rows, labels] -= 1.0
        by_slope = np.array([(residual * source).sum() for source in stacked]) * slopes
        penalty = 0.5 * bias_penalty * float(bias @ bias)
        return penalty - float(log_likelihood.sum()), np.concatenate(
            [by_slope, residual.sum(axis=0) + bias_penalty * bias]
        )

    # The logarithm of a slope stays within e^-5 .. e^4.5, so that separable scores give no infinite confidence.
    bounds = [(-5.0, 4.5)] * len(sources) + [(-20.0, 20.0)] * n_categories
    start = np.zeros(len(sources) + n_categories)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _ROUNDS}).x
    return Pool(np.exp(found[: len(sources)]).astype(np.float32), found[len(sources) :].astype(np.float32))


def held_out_probabilities(
    sources: Sequence[Floats],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    bias_penalty: float = _BIAS_PENALTY,
) -> Floats:
    """Probabilities of each listing by a pool fitted on the other folds, for thresholds and figures."""
    result = np.zeros(sources[0].shape, np.float32)
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        fitted_on = train if len(train) else test
        pool = fit_pool([source[fitted_on] for source in sources], labels[fitted_on], bias_penalty)
        result[test] = pool.probabilities([source[test] for source in sources])
    return result
