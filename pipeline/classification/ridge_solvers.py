"""Ridge regression solvers: the dual form, from Gram matrices, and conjugate gradients for many listings.

In the dual form all penalties and folds share one Gram matrix (n, n), unless terms are weighted by the labels of each
fold. Conjugate gradients (Hestenes and Stiefel 1952) solve for all categories at once, each with its own step lengths:
a step is two products of the vectors with a matrix of one column per category, so the vectors are read twice per step
regardless of the number of categories, and no other matrix of their size is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from pipeline.classification.supervised_term_weighting import learn_term_weights, weight_terms
from pipeline.features.extractor import Floats, Mask, Matrix

Gram = NDArray[np.float64]
Rows = NDArray[np.int64]
_MAX_STEPS = 300


class GramBlocks(NamedTuple):
    """Inner products of the training rows with each other, (m, m), and of test rows with training rows, (k, m)."""

    train: Gram
    test: Gram


class KernelRows(NamedTuple):
    """Input of the fit on all rows: vectors (n, d), their Gram matrix (n, n), and their term weights (d,), if any."""

    vectors: Matrix
    gram: Gram
    term_weights: Floats | None


class Kernel(Protocol):
    """Inner products of n rows, which are identified by their indices."""

    def blocks(self, train: Rows, test: Rows) -> GramBlocks:
        """The blocks of one split; anything learned is learned from the ``train`` rows only."""
        ...

    def all_rows(self) -> KernelRows:
        """The input of the final fit on all rows."""
        ...


class PlainKernel:
    """Inner products of the vectors as they are: one Gram matrix for all folds."""

    def __init__(self, vectors: Matrix) -> None:
        self._vectors = vectors
        self._gram = inner_products(vectors, vectors)

    def blocks(self, train: Rows, test: Rows) -> GramBlocks:
        """Blocks of the one Gram matrix."""
        return gram_blocks(self._gram, train, test)

    def all_rows(self) -> KernelRows:
        """The vectors and their Gram matrix; no term weights."""
        return KernelRows(self._vectors, self._gram, None)


class TermWeightedKernel:
    """Inner products of sparse vectors whose terms are weighted by the labels of the training rows only."""

    def __init__(self, vectors: Matrix, labels: NDArray[np.int64], n_categories: int) -> None:
        self._vectors, self._labels, self._n_categories = vectors.tocsr(), labels, n_categories

    def blocks(self, train: Rows, test: Rows) -> GramBlocks:
        """Computed for each split: the term weights are those of ``train``."""
        weights = learn_term_weights(self._vectors[train], self._labels[train], self._n_categories)
        train_vectors, test_vectors = (
            weight_terms(self._vectors[train], weights),
            weight_terms(self._vectors[test], weights),
        )
        return GramBlocks(inner_products(train_vectors, train_vectors), inner_products(test_vectors, train_vectors))

    def all_rows(self) -> KernelRows:
        """The vectors weighted by all labels."""
        weights = learn_term_weights(self._vectors, self._labels, self._n_categories)
        weighted = weight_terms(self._vectors, weights)
        return KernelRows(weighted, inner_products(weighted, weighted), weights)


class DualSolutions(NamedTuple):
    """Dual coefficients (m, categories), one matrix per penalty; ``intercept`` (categories,), the mean target."""

    coefficients: list[NDArray[np.float64]]
    intercept: NDArray[np.float64]


def solve_dual(gram: Gram, targets: NDArray[np.float64], penalties: Sequence[float]) -> DualSolutions:
    """Solve by Cholesky decomposition, one per penalty; ``targets`` has shape (m, categories)."""
    from scipy.linalg import cho_factor, cho_solve  # a serving worker never fits, and starts without it

    intercept = targets.mean(axis=0)
    coefficients = []
    for penalty in penalties:
        regularised = gram.copy()
        regularised.flat[:: len(gram) + 1] += penalty
        factor = cho_factor(regularised, overwrite_a=True, check_finite=False)
        coefficients.append(cho_solve(factor, targets - intercept))
    return DualSolutions(coefficients, intercept)


def solve_by_conjugate_gradient(
    vectors: Matrix, targets: Floats, penalty: float, train: Mask, tolerance: float
) -> Floats:
    """The weights W (d, categories) that minimise ``|X W - T|^2 + penalty |W|^2`` over the rows of ``train``, (n,).

    ``vectors`` (n, d) is dense or CSR, ``targets`` (n, categories). It stops when the gradient norm of each column has
    fallen to ``tolerance`` times its initial value.
    """
    mask = train.astype(np.float32)[:, None]
    residual = _product(vectors.T, targets * mask)
    weights, direction = np.zeros_like(residual), residual.copy()
    squared_norm = (residual * residual).sum(axis=0, dtype=np.float64)
    max_squared_norm = squared_norm * tolerance**2
    for _ in range(_MAX_STEPS):
        if (squared_norm <= max_squared_norm).all():
            break
        curved_direction = _product(vectors.T, _product(vectors, direction) * mask) + np.float32(penalty) * direction
        curvature = (direction * curved_direction).sum(axis=0, dtype=np.float64)
        step = np.divide(squared_norm, curvature, out=np.zeros_like(squared_norm), where=curvature > 0).astype(
            np.float32
        )
        weights += step * direction
        residual -= step * curved_direction
        new_squared_norm = (residual * residual).sum(axis=0, dtype=np.float64)
        direction *= np.divide(
            new_squared_norm, squared_norm, out=np.zeros_like(new_squared_norm), where=squared_norm > 0
        ).astype(np.float32)
        direction += residual
        squared_norm = new_squared_norm
    return weights


def gram_blocks(gram: Gram, train: Rows, test: Rows) -> GramBlocks:
    """The blocks of one split of a Gram matrix (n, n)."""
    return GramBlocks(gram[np.ix_(train, train)], gram[np.ix_(test, train)])


def inner_products(left: Matrix, right: Matrix) -> Gram:
    """Inner products of the rows of (m, d) and (n, d): shape (m, n), in double precision."""
    product = left @ right.T
    return np.asarray(product.toarray() if issparse(product) else product, np.float64)


def _product(matrix: Matrix, columns: Floats) -> Floats:
    return np.asarray(matrix @ columns, np.float32)
