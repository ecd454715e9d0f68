"""Principal components of local descriptors that know what a mirror does to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.features.dense_descriptors import PLACE
from pipeline.features.extractor import State
from pipeline.features.gaussian_mixture import GaussianMixture, fit_mixture, improve_mixture

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


_PLACE_SPREAD = 3.0  # how far apart, in units of a whitened column, the two borders of a photo lie
_PLACE_SIGNS = np.array([-1.0, 1.0], np.float32)
_WORTH = 2.0  # other photos of a catalogue were seen to gain less than 1, those of another more than 2.3
_ROUNDS_AGAIN = 10


@dataclass(frozen=True, slots=True)
class FisherVocabulary:
    """How descriptors are projected, and the mixture that the projected ones are of."""

    projection: Projection
    mixture: GaussianMixture

    @classmethod
    def learned(
        cls,
        rows: NDArray[np.uint8],
        kept: int,
        mirror: NDArray[np.int64],
        pairs: int,
        rounds: int,
        rng: np.random.Generator,
    ) -> Self:
        """From rows of shape (n, columns + PLACE); see ``fit_projection`` and ``fit_mixture``."""
        projection = fit_projection(rows[:, :-PLACE], kept, mirror)
        projected = _projected(projection, rows)
        signs = np.concatenate([projection.signs, _PLACE_SIGNS])
        return cls(projection, fit_mixture(projected, pairs, rounds, signs, rng))

    def vector(self, rows: NDArray[np.uint8]) -> Floats:
        """The improved Fisher vector, of unit length, of rows of shape (n, columns + PLACE); zeros of none."""
        raw = self.mixture.fisher_vector(_projected(self.projection, rows))
        rooted = np.sqrt(np.abs(raw))
        parts = np.copysign(rooted, raw, out=rooted).reshape(len(self.mixture.weights), -1)
        # Half way to components of equal length (Arandjelović and Zisserman, CVPR 2013): none outshouts the others.
        lengths = np.sqrt(np.linalg.norm(parts, axis=1, keepdims=True))
        return unit((parts / np.maximum(lengths, 1e-6)).ravel())

    def followed(self, rows: NDArray[np.uint8]) -> Self:
        """Itself while it tells what these rows look like, else improved from where it is, in a few rounds.

        What there is to gain is seen on half of the rows, with a mixture improved on the other half: nats a
        descriptor. The projection stays in either case.
        """
        projected = _projected(self.projection, rows)
        learned, judged = projected[::2], projected[1::2]
        candidate = improve_mixture(self.mixture, learned, _ROUNDS_AGAIN)
        if candidate.log_likelihood(judged) < self.mixture.log_likelihood(judged) + _WORTH:
            return self
        return type(self)(self.projection, improve_mixture(self.mixture, projected, _ROUNDS_AGAIN))

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
