"""Linear estimators: a score per category from feature vectors, fitted by ridge regression on targets of +1 and -1.

Least squares on indicator targets ("regularised least squares classification", Rifkin 2002) ranks as well as a linear
support vector machine on these features. Scores are not probabilities; ``calibration`` converts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.ridge_solvers import (
    GramBlocks,
    Kernel,
    PlainKernel,
    Rows,
    TermWeightedKernel,
    gram_blocks,
    solve_by_conjugate_gradient,
    solve_dual,
)
from pipeline.classification.supervised_term_weighting import learn_term_weights, weight_terms
from pipeline.classification.targets import MIN_LISTINGS_TO_CHOOSE, Targets, recur_in_other_folds
from pipeline.domain.progress import Progress, no_progress
from pipeline.features.extractor import Floats, Mask, Matrix, State

PENALTIES = (0.1, 0.3, 1.0, 3.0)
IMAGE_PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # lower ones too: under a kernel each photo is near only a few
USUAL_PENALTY = 0.3
MAX_DUAL_ROWS = 6_000  # rows up to which the Gram matrix (n x n) is built: 288 MB in double precision
GRADIENT_TOLERANCE = 1e-3  # relative, of conjugate gradients
HELD_OUT_GRADIENT_TOLERANCE = 1e-2  # changes scores by 0.005, in half the steps
PENALTY_SAMPLE = 1_500  # listings that the penalty is chosen on; more lead to the same choice
PENALTY_SAMPLE_AUGMENTED = 2_500  # the same in rows, where listings have augmented views


@dataclass(frozen=True, slots=True)
class LinearEstimator:
    """A linear map: ``weights`` (d, categories), ``intercept`` (categories,); ``term_weights`` (d,) scale the input."""

    weights: Floats
    intercept: Floats
    term_weights: Floats | None = None

    def scores(self, vectors: Matrix) -> Floats:
        """Shape (n, categories), roughly between -1 and 1."""
        vectors = vectors if self.term_weights is None else weight_terms(vectors, self.term_weights)
        return np.asarray(vectors @ self.weights + self.intercept, np.float32)

    def state(self, name: str) -> State:
        """Everything that ``from_state`` needs; each key starts with ``name``."""
        state: State = {f"{name}_weights": self.weights, f"{name}_intercept": self.intercept}
        return state if self.term_weights is None else state | {f"{name}_emphasis": self.term_weights}

    @classmethod
    def from_state(cls, name: str, state: State) -> Self:
        """Restore an estimator from ``state``; KeyError when an entry is missing."""
        return cls(state[f"{name}_weights"], state[f"{name}_intercept"], state.get(f"{name}_emphasis"))


@dataclass(frozen=True, slots=True)
class RidgeFit:
    """The estimator fitted on all listings, its penalty, and ``held_out`` scores (n, categories).

    The held-out scores of a listing are those of an estimator fitted on the other folds.
    """

    estimator: LinearEstimator
    penalty: float
    held_out: Floats


@dataclass(frozen=True, slots=True)
class AugmentedRows:
    """Extra training rows, never scored: ``vectors`` (m, d) are views of the listings with index ``origin`` (m,)."""

    vectors: Floats
    origin: NDArray[np.int64]


def fit_ridge(
    vectors: Matrix,
    targets: Targets,
    penalties: Sequence[float] = PENALTIES,
    augmented: AugmentedRows | None = None,
    *,
    term_weighting: bool = False,
    progress: Progress = no_progress,
) -> RidgeFit:
    """Choose the penalty by the held-out squared error over the folds of ``targets``, then fit all rows.

    The error is that of least squares itself (PRESS, Allen 1974): held-out accuracy changes by whole listings, and with
    few of them its best penalty is mostly chance. ``vectors`` is (n, d), dense or CSR. Augmented rows have the label
    and the fold of their listing; with them there may be at most MAX_DUAL_ROWS rows. ``term_weighting`` weights the
    terms of CSR vectors by how well they separate the categories. ``progress`` is called only by long fits.
    """
    rows = _TrainingRows.of(vectors, targets, augmented)
    if len(rows.folds) > MAX_DUAL_ROWS:
        penalty = _choose_penalty(rows, penalties, term_weighting=term_weighting)
        return _fit_by_conjugate_gradient(rows, penalty, progress, term_weighting=term_weighting)
    return _fit_dual(rows, penalties, term_weighting=term_weighting)


def held_out_error(gram: NDArray[np.float64], targets: Targets, penalties: Sequence[float] = IMAGE_PENALTIES) -> float:
    """The held-out squared error at the best penalty, for the kernel with this Gram matrix (n, n)."""
    indicators = _indicators(targets.labels, targets.n_categories)
    all_rows = np.ones(len(indicators), bool)
    scores = _held_out_scores(partial(gram_blocks, gram), indicators, targets.folds, penalties, all_rows)
    return float(_squared_errors(scores, indicators).min())


@dataclass(frozen=True, slots=True)
class _TrainingRows:
    """All m rows to train on, of which the first ``n_listings`` are listings and the rest augmented views of them.

    ``vectors`` (m, d); ``labels`` and ``folds`` (m,); ``indicators`` (m, categories) are +1 and -1.
    """

    vectors: Matrix
    labels: NDArray[np.int64]
    folds: NDArray[np.int64]
    indicators: NDArray[np.float64]
    n_listings: int
    n_categories: int
    origin: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: Matrix, targets: Targets, augmented: AugmentedRows | None) -> Self:
        origin = np.arange(len(targets.labels))
        if augmented is not None and len(augmented.origin):
            vectors = np.concatenate([vectors, augmented.vectors])
            origin = np.concatenate([origin, augmented.origin])
        labels = targets.labels[origin]
        indicators = _indicators(labels, targets.n_categories)
        return cls(
            vectors, labels, targets.folds[origin], indicators, len(targets.labels), targets.n_categories, origin
        )

    def penalty_sample(self) -> Rows:
        """Indices of the rows that the penalty is chosen on: some listings, each with all its views."""
        n_listings = self.n_listings
        max_listings = PENALTY_SAMPLE
        if len(self.origin) > n_listings:
            max_listings = max(300, PENALTY_SAMPLE_AUGMENTED * n_listings // len(self.origin))
        if n_listings <= max_listings:
            return np.arange(len(self.origin))
        is_drawn = np.zeros(n_listings, bool)
        is_drawn[np.random.default_rng(0).permutation(n_listings)[:max_listings]] = True
        return np.flatnonzero(is_drawn[self.origin])

    def kernel(self, rows: Rows | None = None, *, term_weighting: bool) -> Kernel:
        """The kernel of these rows; None: of all."""
        vectors, labels = (self.vectors, self.labels) if rows is None else (self.vectors[rows], self.labels[rows])
        return TermWeightedKernel(vectors, labels, self.n_categories) if term_weighting else PlainKernel(vectors)


def _fit_dual(rows: _TrainingRows, penalties: Sequence[float], *, term_weighting: bool) -> RidgeFit:
    """The exact fit, for catalogues whose Gram matrix fits in memory."""
    sample = rows.penalty_sample()
    kernel = rows.kernel(term_weighting=term_weighting)

    def sample_blocks(train: Rows, test: Rows) -> GramBlocks:
        return kernel.blocks(sample[train], sample[test])

    scored = sample < rows.n_listings
    indicators = rows.indicators[sample]
    scores = _held_out_scores(sample_blocks, indicators, rows.folds[sample], penalties, scored)
    best_index = _best_penalty(
        scores, indicators[scored], rows.labels[sample][scored], rows.folds[sample][scored], penalties
    )
    penalty, held_out = penalties[best_index], scores[best_index]
    if len(sample) < len(rows.folds):
        listings = np.arange(len(rows.folds)) < rows.n_listings
        held_out = _held_out_scores(kernel.blocks, rows.indicators, rows.folds, [penalty], listings)[0]
    kernel_rows = kernel.all_rows()
    solution = solve_dual(kernel_rows.gram, rows.indicators, [penalty])
    weights = np.asarray(kernel_rows.vectors.T @ solution.coefficients[0], np.float32)
    estimator = LinearEstimator(weights, solution.intercept.astype(np.float32), kernel_rows.term_weights)
    return RidgeFit(estimator, penalty, held_out.astype(np.float32))


def _choose_penalty(rows: _TrainingRows, penalties: Sequence[float], *, term_weighting: bool) -> float:
    """The best penalty on a sample of the rows."""
    sample = rows.penalty_sample()
    scored = sample < rows.n_listings
    kernel = rows.kernel(sample, term_weighting=term_weighting)
    indicators = rows.indicators[sample]
    scores = _held_out_scores(kernel.blocks, indicators, rows.folds[sample], penalties, scored)
    labels, folds = rows.labels[sample][scored], rows.folds[sample][scored]
    return penalties[_best_penalty(scores, indicators[scored], labels, folds, penalties)]


def _fit_by_conjugate_gradient(
    rows: _TrainingRows, penalty: float, progress: Progress, *, term_weighting: bool
) -> RidgeFit:
    """The iterative fit, for catalogues whose Gram matrix does not fit in memory."""
    indicators = rows.indicators.astype(np.float32)

    def weight_vectors(train: Mask) -> tuple[Matrix, Floats | None]:
        if not term_weighting:
            return rows.vectors, None
        weights = learn_term_weights(rows.vectors[train], rows.labels[train], rows.n_categories)
        return weight_terms(rows.vectors, weights), weights

    def solve(vectors: Matrix, train: Mask, tolerance: float) -> tuple[Floats, Floats]:
        intercept = indicators[train].mean(axis=0)
        return solve_by_conjugate_gradient(vectors, indicators - intercept, penalty, train, tolerance), intercept

    held_out = np.zeros(indicators.shape, np.float32)
    fold_ids = np.unique(rows.folds)
    steps = len(fold_ids) + 2  # the final, more exact fit takes as long as two folds
    for index, fold in enumerate(fold_ids):
        progress(index / steps, f"fold {index + 1} of {len(fold_ids)}")
        test = rows.folds == fold
        if not test.all():
            vectors, _ = weight_vectors(~test)
            weights, intercept = solve(vectors, ~test, HELD_OUT_GRADIENT_TOLERANCE)
            held_out[test] = vectors[test] @ weights + intercept
    progress(len(fold_ids) / steps, "all folds")
    all_rows = np.ones(len(indicators), bool)
    vectors, term_weights = weight_vectors(all_rows)
    weights, intercept = solve(vectors, all_rows, GRADIENT_TOLERANCE)
    return RidgeFit(LinearEstimator(weights, intercept, term_weights), penalty, held_out)


def _held_out_scores(
    blocks: Callable[[Rows, Rows], GramBlocks],
    indicators: NDArray[np.float64],
    folds: NDArray[np.int64],
    penalties: Sequence[float],
    scored: Mask,
) -> NDArray[np.float64]:
    """Scores (penalties, scored rows, categories) of the ``scored`` rows, each fitted on the other folds."""
    scores = np.zeros((len(penalties), *indicators.shape))
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero((folds == fold) & scored)
        if not len(train) or not len(test):
            continue
        gram = blocks(train, test)
        solution = solve_dual(gram.train, indicators[train], penalties)
        for index, coefficients in enumerate(solution.coefficients):
            scores[index, test] = gram.test @ coefficients + solution.intercept
    return scores[:, scored]


def _best_penalty(
    scores: NDArray[np.float64],
    indicators: NDArray[np.float64],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    penalties: Sequence[float],
) -> int:
    """The index of the penalty with the least error, over the listings whose category occurs in other folds as well.

    With too few of these, that of the penalty nearest to USUAL_PENALTY.
    """
    counted = recur_in_other_folds(labels, folds)
    if counted.sum() < MIN_LISTINGS_TO_CHOOSE:
        return int(np.argmin([abs(penalty - USUAL_PENALTY) for penalty in penalties]))
    return int(_squared_errors(scores[:, counted], indicators[counted]).argmin())


def _squared_errors(scores: NDArray[np.float64], indicators: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean squared error of each penalty, shape (penalties,)."""
    errors: NDArray[np.float64] = ((scores - indicators) ** 2).mean(axis=(1, 2))
    return errors


def _indicators(labels: NDArray[np.int64], n_categories: int) -> NDArray[np.float64]:
    """Target matrix (n, categories): +1 in the column of the label, else -1."""
    return np.where(labels[:, None] == np.arange(n_categories)[None, :], 1.0, -1.0)
