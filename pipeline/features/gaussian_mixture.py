"""A diagonal Gaussian mixture on whitened local descriptors, and improved Fisher vectors in its terms.

Fisher vectors: Perronnin, Sánchez, Mensink, "Improving the Fisher Kernel for Large-Scale Image Classification", ECCV
2010. Both use the mirror: a photo counts together with its mirror image, at the cost of the photo alone, since
mirroring only changes the sign of some whitened columns, and the components come in pairs that mirror each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.features.extractor import Floats

_MIN_VARIANCE = 1e-3
_BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class MixtureSums:
    """Sums over rows and their mirror images, by pair: responsibilities (p,), weighted rows and squares (p, d)."""

    zeroth: Floats
    first: Floats
    second: Floats


@dataclass(frozen=True, slots=True)
class GaussianMixture:
    """``weights`` (p,), ``means`` and ``variances`` (p, d) of one component of each pair, ``signs`` (d,) of a mirror.

    The other component of a pair has the mean ``signs * mean``, the same variance, and the same half of the weight.
    """

    weights: Floats
    means: Floats
    variances: Floats
    signs: Floats
    _slopes: Floats = field(init=False, repr=False, compare=False)
    _offsets: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The logarithm of every component's density at a row is one product with the row and its squares.
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
        """Mean natural logarithm of the density over the rows, of shape (n, d)."""
        joint = _with_squares(rows) @ self._slopes + self._offsets
        top = joint.max(axis=1, keepdims=True)
        return float((top[:, 0] + np.log(np.exp(joint - top).sum(axis=1))).mean())

    def sums(self, rows: Floats) -> MixtureSums:
        """The sums over rows (n, d) that a step of expectation maximisation and a Fisher vector need."""
        pairs, width = self.means.shape
        both = _with_squares(rows)
        shares: Floats = both @ self._slopes
        shares += self._offsets
        shares -= shares.max(axis=1, keepdims=True)
        np.exp(shares, out=shares)
        shares /= shares.sum(axis=1, keepdims=True)
        zeroth = shares.sum(axis=0)
        weighted: Floats = shares.T @ both
        # A mirrored row belongs to the second component of a pair as the row does to the first.
        first: Floats = weighted[:pairs, :width] + weighted[pairs:, :width] * self.signs
        second: Floats = weighted[:pairs, width:] + weighted[pairs:, width:]
        return MixtureSums(zeroth[:pairs] + zeroth[pairs:], first, second)

    def fisher_vector(self, rows: Floats) -> Floats:
        """Gradients by mean and deviation, not normalised: shape (2 * p * d,); zeros when there are no rows."""
        if not len(rows):
            return np.zeros(2 * self.means.size, np.float32)
        sums = self.sums(rows)
        zeroth, first = sums.zeroth[:, None], sums.first
        by_mean = (first - zeroth * self.means) / np.sqrt(self.variances)
        spread = sums.second - 2 * self.means * first + zeroth * self.means**2
        by_deviation = (spread / self.variances - zeroth) / np.float32(np.sqrt(2.0))
        scale = 1.0 / (np.sqrt(self.weights)[:, None] * len(rows))
        return np.asarray((np.concatenate([by_mean, by_deviation], axis=1) * scale).ravel(), np.float32)


def fit_mixture(rows: Floats, pairs: int, rounds: int, signs: Floats, rng: np.random.Generator) -> GaussianMixture:
    """Expectation maximisation from k-means++ seeds; never more pairs than a tenth of the rows, of shape (n, d).

    Memory is bounded by blocks of 16,384 rows; time is ``rounds`` passes.
    """
    pairs = max(1, min(pairs, len(rows) // 10))
    spread = np.maximum((rows * rows).mean(axis=0), _MIN_VARIANCE)
    start = GaussianMixture(
        np.full(pairs, 1.0 / pairs, np.float32),
        _spread_seeds(rows, pairs, signs, rng),
        np.tile(spread, (pairs, 1)).astype(np.float32),
        signs,
    )
    return improve_mixture(start, rows, rounds)


def improve_mixture(mixture: GaussianMixture, rows: Floats, rounds: int) -> GaussianMixture:
    """The mixture after ``rounds`` of expectation maximisation on rows of shape (n, d)."""
    for _ in range(rounds):
        zeroth = np.zeros(len(mixture.weights))
        first = np.zeros(mixture.means.shape)
        second = np.zeros(mixture.means.shape)
        for start in range(0, len(rows), _BLOCK):
            sums = mixture.sums(rows[start : start + _BLOCK])
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
    width = rows.shape[1]
    both = np.empty((len(rows), 2 * width), np.float32)
    both[:, :width] = rows
    np.multiply(rows, rows, out=both[:, width:])
    return both


def _spread_seeds(rows: Floats, count: int, signs: Floats, rng: np.random.Generator) -> Floats:
    """k-means++ on at most 5,000 rows (Arthur and Vassilvitskii 2007); a seed counts for its mirror image too."""
    pool = rows[rng.choice(len(rows), min(len(rows), 5_000), replace=False)]
    seeds = [pool[rng.integers(len(pool))]]
    nearest = np.full(len(pool), np.inf)
    for _ in range(count - 1):
        for seed in (seeds[-1], seeds[-1] * signs):
            nearest = np.minimum(nearest, ((pool - seed) ** 2).sum(axis=1))
        total = nearest.sum()
        seeds.append(pool[rng.choice(len(pool), p=nearest / total if total > 0 else None)])
    return np.array(seeds, np.float32)
