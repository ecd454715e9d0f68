"""A diagonal Gaussian mixture of whitened local descriptors, and the Fisher vectors derived from it.

Fisher vectors: Perronnin, Sánchez, Mensink, "Improving the Fisher Kernel for Large-Scale Image Classification", ECCV
2010. Both include mirror images: a photo counts together with its mirror image, at the cost of the photo alone, since
mirroring only changes the sign of some whitened columns, and the components come in pairs that mirror each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.features.extractor import Floats

_MIN_VARIANCE = 1e-3
_BLOCK_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class MixtureSums:
    """Sums over rows and their mirror images, by pair: responsibilities (p,), weighted rows (p, d), squares (p, d)."""

    zeroth: Floats
    first: Floats
    second: Floats


@dataclass(frozen=True, slots=True)
class GaussianMixture:
    """``weights`` (p,), ``means`` and ``variances`` (p, d) of one component per pair; ``signs`` (d,) mirror a row.

    The other component of a pair has the mean ``signs * mean`` and the same variance; each has half of the weight.
    """

    weights: Floats
    means: Floats
    variances: Floats
    signs: Floats
    _slopes: Floats = field(init=False, repr=False, compare=False)
    _offsets: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The log density of every component at a row is a linear function of the row and its squares.
        precisions = 1.0 / self.variances
        offsets = (
            np.log(self.weights / 2.0)
            - 0.5 * (self.means**2 * precisions).sum(axis=1)
            - 0.5 * (np.log(self.variances).sum(axis=1) + self.means.shape[1] * np.log(2 * np.pi))
        )
        halves = [
            np.concatenate([self.means * sign * precisions, -0.5 * precisions], axis=1) for sign in (1, self.signs)
        ]
        object.__setattr__(self, "_slopes", np.ascontiguousarray(np.concatenate(halves).T.astype(np.float32)))
        object.__setattr__(self, "_offsets", np.concatenate([offsets, offsets]).astype(np.float32))

    def log_likelihood(self, rows: Floats) -> float:
        """Mean natural log density of the rows, of shape (n, d)."""
        log_densities = _with_squares(rows) @ self._slopes + self._offsets
        row_max = log_densities.max(axis=1, keepdims=True)
        return float((row_max[:, 0] + np.log(np.exp(log_densities - row_max).sum(axis=1))).mean())

    def sums(self, rows: Floats) -> MixtureSums:
        """The sums over rows (n, d) needed by a step of expectation maximisation and by a Fisher vector."""
        pairs, width = self.means.shape
        rows_and_squares = _with_squares(rows)
        responsibilities: Floats = rows_and_squares @ self._slopes
        responsibilities += self._offsets
        responsibilities -= responsibilities.max(axis=1, keepdims=True)
        np.exp(responsibilities, out=responsibilities)
        responsibilities /= responsibilities.sum(axis=1, keepdims=True)
        zeroth = responsibilities.sum(axis=0)
        weighted: Floats = responsibilities.T @ rows_and_squares
        # A mirrored row belongs to the second component of a pair as the row does to the first.
        first: Floats = weighted[:pairs, :width] + weighted[pairs:, :width] * self.signs
        second: Floats = weighted[:pairs, width:] + weighted[pairs:, width:]
        return MixtureSums(zeroth[:pairs] + zeroth[pairs:], first, second)

    def fisher_vector(self, rows: Floats) -> Floats:
        """Gradients by mean and standard deviation, not normalised: shape (2 * p * d,); zeros if there are no rows."""
        if not len(rows):
            return np.zeros(2 * self.means.size, np.float32)
        sums = self.sums(rows)
        zeroth, first = sums.zeroth[:, None], sums.first
        mean_gradient = (first - zeroth * self.means) / np.sqrt(self.variances)
        squared_deviations = sums.second - 2 * self.means * first + zeroth * self.means**2
        deviation_gradient = (squared_deviations / self.variances - zeroth) / np.float32(np.sqrt(2.0))
        scale = 1.0 / (np.sqrt(self.weights)[:, None] * len(rows))
        return np.asarray((np.concatenate([mean_gradient, deviation_gradient], axis=1) * scale).ravel(), np.float32)


def fit_mixture(rows: Floats, pairs: int, rounds: int, signs: Floats, rng: np.random.Generator) -> GaussianMixture:
    """Expectation maximisation from k-means++ seeds; at most one pair per ten rows, of shape (n, d).

    Memory is bounded by processing blocks of 16,384 rows; time is ``rounds`` passes over them.
    """
    pairs = max(1, min(pairs, len(rows) // 10))
    variances = np.maximum((rows * rows).mean(axis=0), _MIN_VARIANCE)
    initial = GaussianMixture(
        np.full(pairs, 1.0 / pairs, np.float32),
        _seed_means(rows, pairs, signs, rng),
        np.tile(variances, (pairs, 1)).astype(np.float32),
        signs,
    )
    return improve_mixture(initial, rows, rounds)


def improve_mixture(mixture: GaussianMixture, rows: Floats, rounds: int) -> GaussianMixture:
    """The mixture after ``rounds`` more rounds of expectation maximisation on rows of shape (n, d)."""
    for _ in range(rounds):
        zeroth = np.zeros(len(mixture.weights))
        first = np.zeros(mixture.means.shape)
        second = np.zeros(mixture.means.shape)
        for start in range(0, len(rows), _BLOCK_ROWS):
            sums = mixture.sums(rows[start : start + _BLOCK_ROWS])
            zeroth += sums.zeroth
            first += sums.first
            second += sums.second
        mass = np.maximum(zeroth, 1e-3)[:, None]
        means = first / mass
        variances = np.maximum(second / mass - means**2, _MIN_VARIANCE).astype(np.float32)
        weights = np.maximum(zeroth / max(zeroth.sum(), 1e-9), 1e-6)
        weights = (weights / weights.sum()).astype(np.float32)
        mixture = GaussianMixture(weights, means.astype(np.float32), variances, mixture.signs)
    return mixture


def _with_squares(rows: Floats) -> Floats:
    """The rows (n, d) followed by their squares: (n, 2 * d)."""
    width = rows.shape[1]
    result = np.empty((len(rows), 2 * width), np.float32)
    result[:, :width] = rows
    np.multiply(rows, rows, out=result[:, width:])
    return result


def _seed_means(rows: Floats, count: int, signs: Floats, rng: np.random.Generator) -> Floats:
    """k-means++ on at most 5,000 rows (Arthur and Vassilvitskii 2007); each seed also stands for its mirror image."""
    sample = rows[rng.choice(len(rows), min(len(rows), 5_000), replace=False)]
    seeds = [sample[rng.integers(len(sample))]]
    squared_distances = np.full(len(sample), np.inf)
    for _ in range(count - 1):
        for seed in (seeds[-1], seeds[-1] * signs):
            squared_distances = np.minimum(squared_distances, ((sample - seed) ** 2).sum(axis=1))
        total = squared_distances.sum()
        seeds.append(sample[rng.choice(len(sample), p=squared_distances / total if total > 0 else None)])
    return np.array(seeds, np.float32)
