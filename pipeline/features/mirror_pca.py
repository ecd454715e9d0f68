"""Principal components of local descriptors that know what a mirror does to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_LEAST_VARIANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Projection:
    """``offset`` (kept,), ``axes`` (columns, kept), ``signs`` (kept,): rows come out with unit variance in a column.

    A descriptor of the mirrored photo comes out as ``signs`` times that of the photo.
    """

    offset: Floats
    axes: Floats
    signs: Floats

    def __call__(self, rows: NDArray[np.uint8]) -> Floats:
        """Shape (n, columns) to (n, kept)."""
        projected: Floats = rows.astype(np.float32) @ self.axes
        projected -= self.offset
        return projected


def fit_projection(rows: NDArray[np.uint8], kept: int, mirror: NDArray[np.int64]) -> Projection:
    """Principal axes of the rows, of shape (n, columns), together with their mirror images.

    ``mirror`` says which column each one is in the mirror. What is the same in the mirror and what changes its sign do
    not correlate, so that their axes are found apart, and each axis is of one kind.
    """
    values = rows.astype(np.float32)
    centre = values.mean(axis=0).astype(np.float64)
    centre = (centre + centre[mirror]) / 2
    centred = values - centre.astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / max(len(rows) - 1, 1)
    covariance = (covariance + covariance[np.ix_(mirror, mirror)]) / 2
    spreads, axes, signs = [], [], []
    for sign, basis in zip((1.0, -1.0), _bases(mirror), strict=True):
        found, vectors = np.linalg.eigh(basis.T @ covariance @ basis)
        spreads.append(found)
        axes.append(basis @ vectors)
        signs.append(np.full(len(found), sign, np.float32))
    spread, axis, sign_of = np.concatenate(spreads), np.concatenate(axes, axis=1), np.concatenate(signs)
    order = np.argsort(spread)[::-1][:kept]
    axis, spread = axis[:, order], np.maximum(spread[order], _LEAST_VARIANCE)
    # A fixed sign makes the axes independent of the linear algebra library.
    axis = axis * np.sign(axis[np.abs(axis).argmax(axis=0), np.arange(len(order))]) / np.sqrt(spread)
    return Projection((centre @ axis).astype(np.float32), axis.astype(np.float32), sign_of[order])


def _bases(mirror: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Orthonormal columns of what stays the same in the mirror, and of what changes its sign."""
    unit = np.eye(len(mirror))
    first = np.flatnonzero(np.arange(len(mirror)) < mirror)
    alone = np.flatnonzero(np.arange(len(mirror)) == mirror)
    same = (unit[:, first] + unit[:, mirror[first]]) * np.sqrt(0.5)
    return np.concatenate([same, unit[:, alone]], axis=1), (unit[:, first] - unit[:, mirror[first]]) * np.sqrt(0.5)
