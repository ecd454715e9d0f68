"""Linear estimators: feature vectors in, one score a category out. Learned by ridge regression on +1 / -1.

Least squares on indicator targets ("regularised least squares classification", Rifkin 2002) ranks as well as a linear
support vector machine on these features, and its dual form lets every fold and every penalty share one Gram matrix.
Scores are no probabilities: ``calibration`` makes them so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import issparse

from pipeline.features.extractor import Matrix

Floats = NDArray[np.float32]
PENALTIES = (0.1, 0.3, 1.0, 3.0)
DUAL_LIMIT = 6_000  # listings up to which the Gram matrix (n x n) is built: 288 MB in double precision


@dataclass(frozen=True, slots=True)
class LinearEstimator:
    """``weights`` of shape (d, categories) and ``intercept`` of shape (categories,)."""

    weights: Floats
    intercept: Floats

    def scores(self, vectors: Matrix) -> Floats:
        """Shape (n, categories), roughly between -1 and 1."""
        return np.asarray(vectors @ self.weights + self.intercept, np.float32)


@dataclass(frozen=True, slots=True)
class Fit:
    """The estimator of all listings, its penalty, and scores of each listing by an estimator that never saw it."""

    estimator: LinearEstimator
    penalty: float
    held_out: Floats


def fit(vectors: Matrix, labels: NDArray[np.int64], kinds: int, folds: NDArray[np.int64]) -> Fit:
    """Choose the penalty by held-out accuracy over ``folds``, then learn from everything.

    ``vectors`` is (n, d), dense or CSR; ``labels`` are 0 .. kinds-1; ``folds`` a fold number for each listing.
    """
    targets = np.where(labels[:, None] == np.arange(kinds)[None, :], 1.0, -1.0)
    if len(labels) > DUAL_LIMIT:
        return _fit_iteratively(vectors, targets, folds)
    gram = _gram(vectors)
    held_out = np.zeros((len(PENALTIES), len(labels), kinds))
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if not len(inside):
            continue
        duals, means = _solve(gram[np.ix_(inside, inside)], targets[inside])
        for index in range(len(PENALTIES)):
            held_out[index, outside] = gram[np.ix_(outside, inside)] @ duals[index] + means
    right = (held_out.argmax(axis=2) == labels).mean(axis=1)
    # The strongest penalty within half a point of the best: the difference is noise, the shrinkage is not.
    best = max(index for index in range(len(PENALTIES)) if right[index] >= right.max() - 0.005)
    duals, means = _solve(gram, targets)
    weights = np.asarray(vectors.T @ duals[best], np.float32)
    estimator = LinearEstimator(weights, means.astype(np.float32))
    return Fit(estimator, PENALTIES[best], held_out[best].astype(np.float32))


def _gram(vectors: Matrix) -> NDArray[np.float64]:
    product = vectors @ vectors.T
    return np.asarray(product.toarray() if issparse(product) else product, np.float64)


def _solve(
    gram: NDArray[np.float64], targets: NDArray[np.float64]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Dual coefficients for every penalty, and the intercept (the targets' mean)."""
    means = targets.mean(axis=0)
    duals = []
    for penalty in PENALTIES:
        regular = gram.copy()
        regular.flat[:: len(gram) + 1] += penalty
        duals.append(cho_solve(cho_factor(regular, overwrite_a=True, check_finite=False), targets - means))
    return duals, means


def _fit_iteratively(vectors: Matrix, targets: NDArray[np.float64], folds: NDArray[np.int64]) -> Fit:
    """For catalogues whose Gram matrix would not fit: conjugate gradients with the middle penalty."""
    from sklearn.linear_model import Ridge  # a serving worker never comes here, and leaves scikit-learn out

    penalty = 1.0

    def learned(rows: NDArray[np.int64]) -> LinearEstimator:
        ridge = Ridge(alpha=penalty, solver="sparse_cg" if issparse(vectors) else "auto")
        ridge.fit(vectors[rows], targets[rows])
        return LinearEstimator(ridge.coef_.T.astype(np.float32), np.asarray(ridge.intercept_, np.float32))

    held_out = np.zeros(targets.shape, np.float32)
    for fold in np.unique(folds):
        outside = np.flatnonzero(folds == fold)
        held_out[outside] = learned(np.flatnonzero(folds != fold)).scores(vectors[outside])
    return Fit(learned(np.arange(len(targets))), penalty, held_out)
