"""The vocabulary of one kind of local descriptor: a projection and a mixture, with the place in the photo beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.features.dense_descriptors import PLACE
from pipeline.features.extractor import State
from pipeline.features.gaussian_mixture import Mixture, fit_mixture, improved
from pipeline.features.mirror_pca import Floats, Projection, fit_projection

_PLACE_SPREAD = 3.0  # how far apart, in units of a whitened column, the two borders of a photo lie
_PLACE_SIGNS = np.array([-1.0, 1.0], np.float32)
_WORTH = 2.0  # other photos of a catalogue were seen to gain less than 1, those of another more than 2.3
_ROUNDS_AGAIN = 10


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How descriptors are projected, and the mixture that the projected ones are of."""

    projection: Projection
    mixture: Mixture

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
        candidate = improved(self.mixture, learned, _ROUNDS_AGAIN)
        if candidate.log_likelihood(judged) < self.mixture.log_likelihood(judged) + _WORTH:
            return self
        return type(self)(self.projection, improved(self.mixture, projected, _ROUNDS_AGAIN))

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
        mixture = Mixture(state[f"{part}_weights"], state[f"{part}_means"], state[f"{part}_variances"], signs)
        return cls(projection, mixture)


def unit(vector: Floats) -> Floats:
    """The vector at length 1; zeros stay zeros."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def _projected(projection: Projection, rows: NDArray[np.uint8]) -> Floats:
    place = (rows[:, -PLACE:].astype(np.float32) / 255.0 - 0.5) * _PLACE_SPREAD
    return np.concatenate([projection(rows[:, :-PLACE]), place], axis=1)
