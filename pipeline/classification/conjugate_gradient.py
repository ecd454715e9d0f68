"""Ridge regression for more listings than a Gram matrix is built of: conjugate gradients, all categories at once.

Each step is two products of the vectors with a matrix of one column a category, of which each has its own step lengths
(Hestenes and Stiefel 1952). So the vectors are gone through twice a step however many categories there are, and no
other matrix of their size is built.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.features.extractor import Matrix

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
_STEPS = 300


def ridge(vectors: Matrix, targets: Floats, penalty: float, taught: Flags, tolerance: float) -> Floats:
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
