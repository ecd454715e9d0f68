"""Calibration: scores to probabilities, by one slope per score matrix and one bias per category.

Both are fitted on held-out scores. With one matrix this is temperature scaling with biases (Guo et al., "On Calibration
of Modern Neural Networks", 2017); with several it is a logistic opinion pool, which also fuses text and photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.features.extractor import Floats, Mask

_BIAS_PENALTY = 2.0
_SLOPE_PENALTY = 4.0
_MAX_ITERATIONS = 300


@dataclass(frozen=True, slots=True)
class Pool:
    """A logistic opinion pool: ``slopes`` (matrices,), not negative, and ``bias`` (categories,)."""

    slopes: Floats
    bias: Floats

    def probabilities(self, score_matrices: Sequence[Floats]) -> Floats:
        """Score matrices of shape (n, categories) each, to probabilities of that shape, whose rows sum to 1."""
        logits = self.bias + sum(slope * scores for slope, scores in zip(self.slopes, score_matrices, strict=True))
        return softmax(logits)


def softmax(logits: Floats) -> Floats:
    """Row-wise probabilities, without overflow."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def log_probabilities(probabilities: Floats) -> Floats:
    """Natural logarithms of probabilities, floored at 1e-5 so that no score matrix can veto the others."""
    result: Floats = np.log(np.maximum(probabilities, 1e-5)).astype(np.float32)
    return result


def usual_slopes(n_matrices: int) -> Floats:
    """The slopes to expect of the score matrices of ridge estimators, before any held-out score has been seen.

    With few labels the penalty on other slopes decides, with many it is outweighed. Slopes and penalty were chosen by
    the log loss on unseen listings of one catalogue with 3 to 60 labels a category, among 5 slopes and 4 penalties.
    """
    return np.full(n_matrices, min(3.0, 9.0 / n_matrices), np.float32)


def fit_pool(
    score_matrices: Sequence[Floats],
    labels: NDArray[np.int64],
    bias_penalty: float = _BIAS_PENALTY,
    prior_slopes: Floats | None = None,
) -> Pool:
    """Fit by maximum likelihood of the labels, with a quadratic penalty on the biases.

    The score matrices hold held-out scores, each of shape (n, categories). With ``prior_slopes``, slopes
    are penalised by the square of their relative difference from these; n may be 0 then, and the slopes are these.
    """
    from scipy.optimize import minimize  # only training needs the optimiser

    n_listings, n_categories = score_matrices[0].shape
    usual = np.ones(len(score_matrices)) if prior_slopes is None else np.asarray(prior_slopes, np.float64)
    slope_penalty = 0.0 if prior_slopes is None else _SLOPE_PENALTY
    stacked = np.stack([np.asarray(scores, np.float64) for scores in score_matrices])
    rows = np.arange(n_listings)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slopes, bias = np.exp(values[: len(score_matrices)]), values[len(score_matrices) :]
        logits = np.tensordot(slopes, stacked, axes=1) + bias
        row_max = logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits - row_max)
        total = exponentials.sum(axis=1, keepdims=True)
        log_likelihood = logits[rows, labels] - (row_max + np.log(total))[:, 0]
        residual = exponentials / total
        residual[rows, labels] -= 1.0
        slope_gradient = np.array([(residual * scores).sum() for scores in stacked]) * slopes
        deviations = slopes / usual - 1
        slope_gradient += slope_penalty * deviations * slopes / usual
        penalty = 0.5 * (bias_penalty * float(bias @ bias) + slope_penalty * float(deviations @ deviations))
        return penalty - float(log_likelihood.sum()), np.concatenate(
            [slope_gradient, residual.sum(axis=0) + bias_penalty * bias]
        )

    # Slopes stay within e^-5 .. e^4.5, so that separable scores do not lead to infinite confidence.
    bounds = [(-5.0, 4.5)] * len(score_matrices) + [(-20.0, 20.0)] * n_categories
    initial = np.concatenate([np.log(usual), np.zeros(n_categories)])
    parameters = minimize(
        loss, initial, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _MAX_ITERATIONS}
    ).x
    return Pool(
        np.exp(parameters[: len(score_matrices)]).astype(np.float32),
        parameters[len(score_matrices) :].astype(np.float32),
    )


def held_out_probabilities(
    score_matrices: Sequence[Floats],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    bias_penalty: float = _BIAS_PENALTY,
    prior_slopes: Floats | None = None,
    counted: Mask | None = None,
) -> Floats:
    """Probabilities of each listing by a pool fitted on the other folds, for thresholds and metrics.

    Pools are fitted on the ``counted`` listings, (n,), None for all; there may be none with ``prior_slopes``.
    """
    result = np.zeros(score_matrices[0].shape, np.float32)
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        if not train.any():
            train = test
        fitting_rows = np.flatnonzero(train if counted is None else train & counted)
        fitted_scores = [scores[fitting_rows] for scores in score_matrices]
        pool = fit_pool(fitted_scores, labels[fitting_rows], bias_penalty, prior_slopes)
        result[test] = pool.probabilities([scores[test] for scores in score_matrices])
    return result
