"""Scores to probabilities, fitted on held-out scores: a temperature (one a source of scores) and a bias a category.

With one source this is temperature scaling with biases (Guo et al., "On Calibration of Modern Neural Networks", 2017);
with several it is a logistic opinion pool, which is how text and image are fused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_BIAS_PENALTY = 2.0
_ROUNDS = 300


@dataclass(frozen=True, slots=True)
class Pool:
    """``slopes`` of shape (sources,), not negative, and ``bias`` of shape (categories,)."""

    slopes: Floats
    bias: Floats

    def probabilities(self, sources: Sequence[Floats]) -> Floats:
        """Each source has shape (n, categories); so has the answer, whose rows sum to 1."""
        joint = self.bias + sum(slope * source for slope, source in zip(self.slopes, sources, strict=True))
        return softmax(joint)


def softmax(logits: Floats) -> Floats:
    """Row by row, without overflow."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def log_probabilities(probabilities: Floats) -> Floats:
    """Natural logarithms, from no less than one in a hundred thousand: no source may veto the other."""
    result: Floats = np.log(np.maximum(probabilities, 1e-5)).astype(np.float32)
    return result


def fit_pool(sources: Sequence[Floats], labels: NDArray[np.int64], bias_penalty: float = _BIAS_PENALTY) -> Pool:
    """Maximum likelihood of the labels, the biases held near 0 by a quadratic penalty. Scores must be held out."""
    from scipy.optimize import minimize  # only training needs the optimiser

    count, kinds = sources[0].shape
    stacked = np.stack([np.asarray(source, np.float64) for source in sources])
    rows = np.arange(count)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slopes, bias = np.exp(parameters[: len(sources)]), parameters[len(sources) :]
        joint = np.tensordot(slopes, stacked, axes=1) + bias
        top = joint.max(axis=1, keepdims=True)
        shares = np.exp(joint - top)
        total = shares.sum(axis=1, keepdims=True)
        likelihood = joint[rows, labels] - (top + np.log(total))[:, 0]
        residual = shares / total
        residual[rows, labels] -= 1.0
        by_slope = np.array([(residual * source).sum() for source in stacked]) * slopes
        penalty = 0.5 * bias_penalty * float(bias @ bias)
        return penalty - float(likelihood.sum()), np.concatenate([by_slope, residual.sum(axis=0) + bias_penalty * bias])

    # The logarithm of a slope stays within e^-5 .. e^4.5, so that separable scores give no infinite confidence.
    bounds = [(-5.0, 4.5)] * len(sources) + [(-20.0, 20.0)] * kinds
    start = np.zeros(len(sources) + kinds)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _ROUNDS}).x
    return Pool(np.exp(found[: len(sources)]).astype(np.float32), found[len(sources) :].astype(np.float32))


def held_out_probabilities(
    sources: Sequence[Floats],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    bias_penalty: float = _BIAS_PENALTY,
) -> Floats:
    """Probabilities of each listing by a pool fitted on the other folds: fit for thresholds and metrics."""
    result = np.zeros(sources[0].shape, np.float32)
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        chosen = inside if len(inside) else outside
        pool = fit_pool([source[chosen] for source in sources], labels[chosen], bias_penalty)
        result[outside] = pool.probabilities([source[outside] for source in sources])
    return result
