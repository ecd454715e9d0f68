"""The vocabulary of one kind of local descriptor: principal components and a mixture, both aware of mirror images.

The place of a descriptor in the photo is two more columns of the mixture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.features.dense_descriptors import PLACE
from pipeline.features.extractor import Floats, State
from pipeline.features.gaussian_mixture import GaussianMixture, fit_mixture, improve_mixture

_LEAST_VARIANCE = 1e-8
_PLACE_SPREAD = 3.0  # distance of a photo's two borders, in units of a whitened column
_PLACE_SIGNS = np.array([-1.0, 1.0], np.float32)
_LEAST_GAIN = 2.0  # in nats: other photos of a catalogue gained less than 1, those of another more than 2.3
_REFIT_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Projection:
    """``offset`` (kept,), ``axes`` (columns, kept), ``signs`` (kept,); projected columns have unit variance.

    The projection of a mirrored photo's descriptor is ``signs`` times that of the photo's.
    """

    offset: Floats
    axes: Floats
    signs: Floats

    def __call__(self, rows: NDArray[np.uint8]) -> Floats:
        """Project rows (n, columns) to (n, kept)."""
        projected: Floats = rows.astype(np.float32) @ self.axes
        projected -= self.offset
        return projected


def fit_projection(rows: NDArray[np.uint8], kept: int, mirror: NDArray[np.int64]) -> Projection:
    """Principal axes of the rows, of shape (n, columns), together with their mirror images.

    ``mirror`` gives the column that each one becomes in the mirror. Parts that the mirror leaves alone and parts whose
    sign it changes do not correlate, so their axes are computed apart, and each axis is of one kind.
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
    """Orthonormal columns that stay the same in the mirror, and others that change their sign."""
    unit = np.eye(len(mirror))
    first = np.flatnonzero(np.arange(len(mirror)) < mirror)
    alone = np.flatnonzero(np.arange(len(mirror)) == mirror)
    same = (unit[:, first] + unit[:, mirror[first]]) * np.sqrt(0.5)
    return np.concatenate([same, unit[:, alone]], axis=1), (unit[:, first] - unit[:, mirror[first]]) * np.sqrt(0.5)


@dataclass(frozen=True, slots=True)
class FisherVocabulary:
    """A projection of descriptors, and the mixture fitted on the projected ones with their places."""

    projection: Projection
    mixture: GaussianMixture

    @classmethod
    def fit(
        cls,
        rows: NDArray[np.uint8],
        kept: int,
        mirror: NDArray[np.int64],
        pairs: int,
        rounds: int,
        rng: np.random.Generator,
    ) -> Self:
        """Learn from rows of shape (n, columns + PLACE); see ``fit_projection`` and ``fit_mixture``."""
        projection = fit_projection(rows[:, :-PLACE], kept, mirror)
        projected = _projected(projection, rows)
        signs = np.concatenate([projection.signs, _PLACE_SIGNS])
        return cls(projection, fit_mixture(projected, pairs, rounds, signs, rng))

    def vector(self, rows: NDArray[np.uint8]) -> Floats:
        """The improved Fisher vector, of unit length, of rows of shape (n, columns + PLACE); zeros of none."""
        raw = self.mixture.fisher_vector(_projected(self.projection, rows))
        rooted = np.sqrt(np.abs(raw))
        parts = np.copysign(rooted, raw, out=rooted).reshape(len(self.mixture.weights), -1)
        # Half way to components of equal length (Arandjelović and Zisserman, CVPR 2013): none outweighs the others.
        lengths = np.sqrt(np.linalg.norm(parts, axis=1, keepdims=True))
        return unit((parts / np.maximum(lengths, 1e-6)).ravel())

    def refitted(self, rows: NDArray[np.uint8]) -> Self:
        """Itself if it describes these rows well enough, else its mixture improved in a few more rounds.

        The gain is measured on half of the rows, with a mixture improved on the other half, in nats a descriptor. The
        projection stays in either case.
        """
        projected = _projected(self.projection, rows)
        train, test = projected[::2], projected[1::2]
        candidate = improve_mixture(self.mixture, train, _REFIT_ROUNDS)
        if candidate.log_likelihood(test) < self.mixture.log_likelihood(test) + _LEAST_GAIN:
            return self
        return type(self)(self.projection, improve_mixture(self.mixture, projected, _REFIT_ROUNDS))

    def state(self, part: str) -> State:
        """Arrays, each under a name that begins with ``part``."""
        projection, mixture = self.projection, self.mixture
        return {
            f"{part}_offset": projection.offset,
            f"{part}_axes": projection.axes,
            f"{part}_signs": projection.signs,
            f"{part}_weights": mixture.weights,
            f"{part}_means": mixture.means,
            f"{part}_variances": mixture.variances,
        }

    @classmethod
    def from_state(cls, state: State, part: str) -> Self:
        """The inverse of ``state``."""
        projection = Projection(state[f"{part}_offset"], state[f"{part}_axes"], state[f"{part}_signs"])
        signs = np.concatenate([projection.signs, _PLACE_SIGNS])
        mixture = GaussianMixture(state[f"{part}_weights"], state[f"{part}_means"], state[f"{part}_variances"], signs)
        return cls(projection, mixture)


def unit(vector: Floats) -> Floats:
    """The vector at length 1; zeros stay zeros."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def _projected(projection: Projection, rows: NDArray[np.uint8]) -> Floats:
    place = (rows[:, -PLACE:].astype(np.float32) / 255.0 - 0.5) * _PLACE_SPREAD
    return np.concatenate([projection(rows[:, :-PLACE]), place], axis=1)
