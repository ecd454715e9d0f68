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
from scipy.sparse import issparse

from pipeline.features.extractor import Matrix

Floats = NDArray[np.float32]
PENALTIES = (0.1, 0.3, 1.0, 3.0)
IMAGE_PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # under a kernel every photo is near to few others
DUAL_LIMIT = 6_000  # listings up to which the Gram matrix (n x n) is built: 288 MB in double precision
CHOOSING = 1_500  # listings that the penalty is chosen on: more of them choose the same
CHOOSING_WITH_VIEWS = 2_500  # the same with their views, in rows


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


@dataclass(frozen=True, slots=True)
class Views:
    """More rows to learn from, which are never judged: ``vectors`` (m, d) are those of listing ``origin``, (m,)."""

    vectors: Floats
    origin: NDArray[np.int64]


def fit(
    vectors: Matrix,
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    penalties: Sequence[float] = PENALTIES,
    views: Views | None = None,
) -> Fit:
    """Choose the penalty by held-out squared error over ``folds``, then learn from everything.

    The error is that of least squares itself (PRESS, Allen 1974): held-out accuracy jumps by whole listings, and on few
    of them its best penalty is mostly chance. ``vectors`` is (n, d), dense or CSR; ``labels`` are 0 .. kinds-1;
    ``folds`` a fold number for each listing. ``views`` share label and fold of their listing; with them the rows must
    be no more than DUAL_LIMIT.
    """
    count, rows, origin = len(labels), vectors, np.arange(len(labels))
    if views is not None and len(views.origin):
        rows, origin = np.concatenate([vectors, views.vectors]), np.concatenate([origin, views.origin])
    targets, parts = _targets(labels, kinds)[origin], folds[origin]
    drawn = np.arange(len(origin))
    most = CHOOSING if len(origin) == count else max(300, CHOOSING_WITH_VIEWS * count // len(origin))
    if count > most:
        chosen = np.zeros(count, bool)
        chosen[np.random.default_rng(0).permutation(count)[:most]] = True
        drawn = np.flatnonzero(chosen[origin])
    dual = len(origin) <= DUAL_LIMIT
    gram = _gram(rows if dual else rows[drawn])
    own = gram[np.ix_(drawn, drawn)] if dual and len(drawn) < len(gram) else gram
    judged = drawn < count
    tried = _held_out(own, targets[drawn], parts[drawn], penalties, judged)
    errors = ((tried - targets[drawn][judged]) ** 2).mean(axis=(1, 2))
    best = int(errors.argmin())
    penalty = penalties[best]
    if not dual:
        return _fit_iteratively(rows, targets, parts, penalty)
    whole = len(drawn) == len(origin)
    held_out = tried[best] if whole else _held_out(gram, targets, parts, [penalty], np.arange(len(origin)) < count)[0]
    duals, means = _solve(gram, targets, [penalty])
    weights = np.asarray(rows.T @ duals[0], np.float32)
    return Fit(LinearEstimator(weights, means.astype(np.float32)), penalty, held_out.astype(np.float32))


def press(
    gram: NDArray[np.float64],
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    penalties: Sequence[float] = IMAGE_PENALTIES,
) -> float:
    """The held-out squared error at the best penalty, of the kernel whose Gram matrix (n, n) this is."""
    targets = _targets(labels, kinds)
    tried = _held_out(gram, targets, folds, penalties, np.ones(len(labels), bool))
    return float(((tried - targets) ** 2).mean(axis=(1, 2)).min())


def _targets(labels: NDArray[np.int64], kinds: int) -> NDArray[np.float64]:
    return np.where(labels[:, None] == np.arange(kinds)[None, :], 1.0, -1.0)


def _held_out(
    gram: NDArray[np.float64],
    targets: NDArray[np.float64],
    folds: NDArray[np.int64],
    penalties: Sequence[float],
    judged: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Scores of shape (penalties, judged rows, categories) of each row judged, learned from the other folds."""
    scores = np.zeros((len(penalties), *targets.shape))
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero((folds == fold) & judged)
        if not len(inside) or not len(outside):
            continue
        duals, means = _solve(gram[np.ix_(inside, inside)], targets[inside], penalties)
        across = gram[np.ix_(outside, inside)]
        for index, dual in enumerate(duals):
            scores[index, outside] = across @ dual + means
    return scores[:, judged]


def _gram(vectors: Matrix) -> NDArray[np.float64]:
    product = vectors @ vectors.T
    return np.asarray(product.toarray() if issparse(product) else product, np.float64)


def _solve(
    gram: NDArray[np.float64], targets: NDArray[np.float64], penalties: Sequence[float]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Dual coefficients for every penalty, and the intercept (the targets' mean)."""
    from scipy.linalg import cho_factor, cho_solve  # a serving worker, which never comes here, starts without

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
