"""Linear estimators: feature vectors in, one score a category out. Learned by ridge regression on +1 / -1.

Least squares on indicator targets ("regularised least squares classification", Rifkin 2002) ranks as well as a linear
support vector machine on these features, and its dual form lets every fold and every penalty share one Gram matrix.
Scores are no probabilities: ``calibration`` makes them so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import issparse

from pipeline.features.extractor import Matrix

Floats = NDArray[np.float32]
PENALTIES = (0.1, 0.3, 1.0, 3.0)
DUAL_LIMIT = 6_000  # listings up to which the Gram matrix (n x n) is built: 288 MB in double precision
CHOOSING = 1_500  # listings that the penalty is chosen on: more of them choose the same


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
    """Choose the penalty by held-out squared error over ``folds``, then learn from everything.

    The error is that of least squares itself (PRESS, Allen 1974): held-out accuracy jumps by whole listings, and on few
    of them its best penalty is mostly chance. ``vectors`` is (n, d), dense or CSR; ``labels`` are 0 .. kinds-1;
    ``folds`` a fold number for each listing.
    """
    targets = np.where(labels[:, None] == np.arange(kinds)[None, :], 1.0, -1.0)
    count = len(labels)
    drawn = np.arange(count)
    if count > CHOOSING:
        drawn = np.sort(np.random.default_rng(0).permutation(count)[:CHOOSING])
    dual = count <= DUAL_LIMIT
    gram = _gram(vectors if dual else vectors[drawn])
    tried = _held_out(gram[np.ix_(drawn, drawn)] if dual else gram, targets[drawn], folds[drawn], PENALTIES)
    errors = ((tried - targets[drawn]) ** 2).mean(axis=(1, 2))
    best = int(errors.argmin())
    penalty = PENALTIES[best]
    if not dual:
        return _fit_iteratively(vectors, targets, folds, penalty)
    held_out = tried[best] if len(drawn) == count else _held_out(gram, targets, folds, [penalty])[0]
    duals, means = _solve(gram, targets, [penalty])
    weights = np.asarray(vectors.T @ duals[0], np.float32)
    return Fit(LinearEstimator(weights, means.astype(np.float32)), penalty, held_out.astype(np.float32))


def _held_out(
    gram: NDArray[np.float64], targets: NDArray[np.float64], folds: NDArray[np.int64], penalties: Sequence[float]
) -> NDArray[np.float64]:
    """Scores of shape (penalties, n, categories) of each listing, learned from the other folds."""
    scores = np.zeros((len(penalties), *targets.shape))
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if not len(inside):
            continue
        duals, means = _solve(gram[np.ix_(inside, inside)], targets[inside], penalties)
        across = gram[np.ix_(outside, inside)]
        for index, dual in enumerate(duals):
            scores[index, outside] = across @ dual + means
    return scores


def _gram(vectors: Matrix) -> NDArray[np.float64]:
    product = vectors @ vectors.T
    return np.asarray(product.toarray() if issparse(product) else product, np.float64)


def _solve(
    gram: NDArray[np.float64], targets: NDArray[np.float64], penalties: Sequence[float]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Dual coefficients for every penalty, and the intercept (the targets' mean)."""
    means = targets.mean(axis=0)
    duals = []
    for penalty in penalties:
        regular = gram.copy()
        regular.flat[:: len(gram) + 1] += penalty
        duals.append(cho_solve(cho_factor(regular, overwrite_a=True, check_finite=False), targets - means))
    return duals, means


def _fit_iteratively(vectors: Matrix, targets: NDArray[np.float64], folds: NDArray[np.int64], penalty: float) -> Fit:
    """For catalogues whose Gram matrix would not fit: conjugate gradients."""
    from sklearn.linear_model import Ridge  # a serving worker never comes here, and leaves scikit-learn out

    def learned(rows: NDArray[np.int64]) -> LinearEstimator:
        ridge = Ridge(alpha=penalty, solver="sparse_cg" if issparse(vectors) else "auto", tol=1e-3)
        ridge.fit(vectors[rows], targets[rows])
        return LinearEstimator(ridge.coef_.T.astype(np.float32), np.asarray(ridge.intercept_, np.float32))

    held_out = np.zeros(targets.shape, np.float32)
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(inside):
            held_out[outside] = learned(inside).scores(vectors[outside])
    return Fit(learned(np.arange(len(targets))), penalty, held_out)
