"""Solvers of ridge regression: Gram matrices for few listings, conjugate gradients for many."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from pipeline.classification.term_weighting import Floats, learn_term_weights, weight_terms
from pipeline.features.extractor import Matrix

Gram = NDArray[np.float64]
Rows = NDArray[np.int64]


class Kernel(Protocol):
    """Of n rows of vectors, named by their indices."""

    def between(self, taught: Rows, judged: Rows) -> tuple[Gram, Gram]:
        """Of shape (taught, taught) and (judged, taught); nothing but ``taught`` is learned from."""
        ...

    def whole(self) -> tuple[Matrix, Gram, Floats | None]:
        """The vectors to learn from everything, (n, d), their Gram matrix (n, n), and the emphasis (d,) they carry."""
        ...


class PlainKernel:
    """Of vectors as they are; ``gram`` (n, n) serves every fold."""

    def __init__(self, rows: Matrix) -> None:
        self._rows = rows
        self.gram = inner_products(rows, rows)

    def between(self, taught: Rows, judged: Rows) -> tuple[Gram, Gram]:
        """Slices of the one."""
        return gram_blocks(self.gram, taught, judged)

    def whole(self) -> tuple[Matrix, Gram, Floats | None]:
        """The vectors and ``gram``; no emphasis."""
        return self._rows, self.gram, None


class TermWeightedKernel:
    """Of sparse vectors whose terms are weighed, by the labels of the rows that teach alone."""

    def __init__(self, rows: Matrix, labels: NDArray[np.int64], kinds: int) -> None:
        self._rows, self._labels, self._kinds = rows.tocsr(), labels, kinds

    def between(self, taught: Rows, judged: Rows) -> tuple[Gram, Gram]:
        """Computed anew: the weights are those of ``taught``."""
        emphasis = learn_term_weights(self._rows[taught], self._labels[taught], self._kinds)
        own, others = weight_terms(self._rows[taught], emphasis), weight_terms(self._rows[judged], emphasis)
        return inner_products(own, own), inner_products(others, own)

    def whole(self) -> tuple[Matrix, Gram, Floats | None]:
        """With weights learned from every row."""
        emphasis = learn_term_weights(self._rows, self._labels, self._kinds)
        rows = weight_terms(self._rows, emphasis)
        return rows, inner_products(rows, rows), emphasis


def gram_blocks(gram: Gram, taught: Rows, judged: Rows) -> tuple[Gram, Gram]:
    """What ``Kernel.between`` answers, of a Gram matrix (n, n) that is known."""
    return gram[np.ix_(taught, taught)], gram[np.ix_(judged, taught)]


def inner_products(left: Matrix, right: Matrix) -> Gram:
    """Inner products of rows, (m, d) and (n, d): of shape (m, n), in double precision."""
    product = left @ right.T
    return np.asarray(product.toarray() if issparse(product) else product, np.float64)


Flags = NDArray[np.bool_]
_STEPS = 300


def solve_by_conjugate_gradient(
    vectors: Matrix, targets: Floats, penalty: float, taught: Flags, tolerance: float
) -> Floats:
    """The weights W (d, categories) of least ``|X W - T|^2 + penalty |W|^2`` over the rows that are ``taught``, (n,).

    ``vectors`` (n, d) is dense or CSR, ``targets`` (n, categories). It stops when what is left of the gradient of each
    column is ``tolerance`` of what it was.
    """
    mask = taught.astype(np.float32)[:, None]
    left = _product(vectors.T, targets * mask)
    weights, direction = np.zeros_like(left), left.copy()
    square = (left * left).sum(axis=0, dtype=np.float64)
    enough = square * tolerance**2
    for _ in range(_STEPS):
        if (square <= enough).all():
            break
        image = _product(vectors.T, _product(vectors, direction) * mask) + np.float32(penalty) * direction
        curvature = (direction * image).sum(axis=0, dtype=np.float64)
        step = np.divide(square, curvature, out=np.zeros_like(square), where=curvature > 0).astype(np.float32)
        weights += step * direction
        left -= step * image
        now = (left * left).sum(axis=0, dtype=np.float64)
        direction *= np.divide(now, square, out=np.zeros_like(now), where=square > 0).astype(np.float32)
        direction += left
        square = now
    return weights


def _product(matrix: Matrix, columns: Floats) -> Floats:
    return np.asarray(matrix @ columns, np.float32)
