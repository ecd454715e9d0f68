"""Linear estimators: feature vectors in, one score a category out. Learned by ridge regression on +1 / -1.

Least squares on indicator targets ("regularised least squares classification", Rifkin 2002) ranks as well as a linear
support vector machine on these features, and its dual form lets every penalty share one Gram matrix unless
terms are weighed by the labels of each fold (see ``emphasis``). Scores are no probabilities: ``calibration`` makes them
so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.ridge_solvers import (
    Gram,
    Kernel,
    PlainKernel,
    Rows,
    TermWeightedKernel,
    gram_blocks,
    solve_by_conjugate_gradient,
)
from pipeline.classification.term_weighting import learn_term_weights, weight_terms
from pipeline.features.extractor import Matrix, State

Floats = NDArray[np.float32]
PENALTIES = (0.1, 0.3, 1.0, 3.0)
IMAGE_PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # under a kernel every photo is near to few others
DUAL_LIMIT = 6_000  # listings up to which the Gram matrix (n x n) is built: 288 MB in double precision
TOLERANCE = 1e-3  # of the gradient, where it is followed step by step
HELD_OUT_TOLERANCE = 1e-2  # moves scores by half a hundredth, in half the steps
CHOOSING = 1_500  # listings that the penalty is chosen on: more of them choose the same
CHOOSING_WITH_VIEWS = 2_500  # the same with their views, in rows


@dataclass(frozen=True, slots=True)
class LinearEstimator:
    """``weights`` (d, categories) and ``intercept`` (categories,); ``emphasis`` (d,) where terms are weighed anew."""

    weights: Floats
    intercept: Floats
    emphasis: Floats | None = None

    def scores(self, vectors: Matrix) -> Floats:
        """Shape (n, categories), roughly between -1 and 1."""
        vectors = vectors if self.emphasis is None else weight_terms(vectors, self.emphasis)
        return np.asarray(vectors @ self.weights + self.intercept, np.float32)

    def state(self, name: str) -> State:
        """All that ``from_state`` needs, each entry under ``name``."""
        state: State = {f"{name}_weights": self.weights, f"{name}_intercept": self.intercept}
        return state if self.emphasis is None else state | {f"{name}_emphasis": self.emphasis}

    @classmethod
    def from_state(cls, name: str, state: State) -> Self:
        """The same again; KeyError when something is missing."""
        return cls(state[f"{name}_weights"], state[f"{name}_intercept"], state.get(f"{name}_emphasis"))


@dataclass(frozen=True, slots=True)
class RidgeFit:
    """The estimator of all listings, its penalty, and scores of each listing by an estimator that never saw it."""

    estimator: LinearEstimator
    penalty: float
    held_out: Floats


@dataclass(frozen=True, slots=True)
class AugmentedRows:
    """More rows to learn from, which are never judged: ``vectors`` (m, d) are those of listing ``origin``, (m,)."""

    vectors: Floats
    origin: NDArray[np.int64]


def fit_ridge(
    vectors: Matrix,
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    penalties: Sequence[float] = PENALTIES,
    views: AugmentedRows | None = None,
    emphatic: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> RidgeFit:
    """Choose the penalty by held-out squared error over ``folds``, then learn from everything.

    The error is that of least squares itself (PRESS, Allen 1974): held-out accuracy jumps by whole listings, and on few
    of them its best penalty is mostly chance. ``vectors`` is (n, d), dense or CSR; ``labels`` are 0 .. kinds-1;
    ``folds`` a fold number for each listing. ``views`` share label and fold of their listing; with them the rows must
    be no more than DUAL_LIMIT. ``emphatic`` weighs the terms of CSR vectors by what they tell of the categories.
    ``progress`` hears the share that is done, of what takes long.
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
    judged = drawn < count
    if len(origin) > DUAL_LIMIT:
        few = _kernel(rows[drawn], labels[drawn], kinds, emphatic)
        tried = _held_out(few.between, targets[drawn], parts[drawn], penalties, judged)
        penalty = penalties[_best(tried, targets[drawn][judged])]
        return _fit_iteratively(rows, labels, kinds, parts, emphatic, penalty, progress)
    products = _kernel(rows, labels[origin], kinds, emphatic)

    def among(taught: Rows, others: Rows) -> tuple[Gram, Gram]:
        return products.between(drawn[taught], drawn[others])

    tried = _held_out(among, targets[drawn], parts[drawn], penalties, judged)
    best = _best(tried, targets[drawn][judged])
    penalty, held_out = penalties[best], tried[best]
    if len(drawn) < len(origin):
        held_out = _held_out(products.between, targets, parts, [penalty], np.arange(len(origin)) < count)[0]
    rows, gram, emphasis = products.whole()
    duals, means = _solve(gram, targets, [penalty])
    weights = np.asarray(rows.T @ duals[0], np.float32)
    return RidgeFit(LinearEstimator(weights, means.astype(np.float32), emphasis), penalty, held_out.astype(np.float32))


def held_out_error(
    gram: NDArray[np.float64],
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    penalties: Sequence[float] = IMAGE_PENALTIES,
) -> float:
    """The held-out squared error at the best penalty, of the kernel whose Gram matrix (n, n) this is."""
    targets = _targets(labels, kinds)
    tried = _held_out(partial(gram_blocks, gram), targets, folds, penalties, np.ones(len(labels), bool))
    return float(((tried - targets) ** 2).mean(axis=(1, 2)).min())


def _targets(labels: NDArray[np.int64], kinds: int) -> NDArray[np.float64]:
    return np.where(labels[:, None] == np.arange(kinds)[None, :], 1.0, -1.0)


def _kernel(rows: Matrix, labels: NDArray[np.int64], kinds: int, emphatic: bool) -> Kernel:
    return TermWeightedKernel(rows, labels, kinds) if emphatic else PlainKernel(rows)


def _best(tried: NDArray[np.float64], targets: NDArray[np.float64]) -> int:
    return int(((tried - targets) ** 2).mean(axis=(1, 2)).argmin())


def _held_out(
    between: Callable[[Rows, Rows], tuple[Gram, Gram]],
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
        own, across = between(inside, outside)
        duals, means = _solve(own, targets[inside], penalties)
        for index, dual in enumerate(duals):
            scores[index, outside] = across @ dual + means
    return scores[:, judged]


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


def _fit_iteratively(
    vectors: Matrix,
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    emphatic: bool,
    penalty: float,
    progress: Callable[[float], None],
) -> RidgeFit:
    """For catalogues whose Gram matrix would not fit."""
    targets = _targets(labels, kinds).astype(np.float32)

    def learned(taught: NDArray[np.bool_], tolerance: float) -> tuple[LinearEstimator, Matrix]:
        rows, emphasis = vectors, None
        if emphatic:
            emphasis = learn_term_weights(rows[taught], labels[taught], kinds)
            rows = weight_terms(rows, emphasis)
        intercept = targets[taught].mean(axis=0)
        return LinearEstimator(
            solve_by_conjugate_gradient(rows, targets - intercept, penalty, taught, tolerance), intercept, emphasis
        ), rows

    held_out = np.zeros(targets.shape, np.float32)
    numbers = np.unique(folds)
    for at, fold in enumerate(numbers):
        progress(at / (len(numbers) + 2))  # the last, more exact fit takes as long as two
        outside = folds == fold
        if not outside.all():
            estimator, rows = learned(~outside, HELD_OUT_TOLERANCE)
            held_out[outside] = rows[outside] @ estimator.weights + estimator.intercept
    progress(len(numbers) / (len(numbers) + 2))
    return RidgeFit(learned(np.ones(len(targets), bool), TOLERANCE)[0], penalty, held_out)
