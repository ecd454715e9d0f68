"""A diagonal Gaussian mixture on whitened local descriptors, and improved Fisher vectors in its terms.

Fisher vectors: Perronnin, Sánchez, Mensink, "Improving the Fisher Kernel for Large-Scale Image
Classification", ECCV 2010.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_LEAST_VARIANCE = 1e-3
_BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class Projection:
    """PCA: ``centre`` of shape (columns,), ``axes`` of shape (columns, kept); rows come out with unit variance each."""

    centre: Floats
    axes: Floats

    def __call__(self, rows: Floats) -> Floats:
        """Shape (n, columns) to (n, kept)."""
        return np.asarray((rows - self.centre) @ self.axes, np.float32)


def fit_projection(rows: Floats, kept: int) -> Projection:
    """Principal axes of the rows by the eigenvectors of their covariance, scaled to unit variance."""
    centre = rows.mean(axis=0)
    centred = (rows - centre).astype(np.float64)
    covariance = centred.T @ centred / max(len(rows) - 1, 1)
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1][: min(kept, len(values))]
    # A fixed sign makes the axes independent of the linear algebra library.
    axes = vectors[:, order] * np.sign(vectors[np.abs(vectors[:, order]).argmax(axis=0), order])
    scale = np.sqrt(np.maximum(values[order], 1e-8))
    return Projection(centre.astype(np.float32), (axes / scale).astype(np.float32))


@dataclass(frozen=True, slots=True)
class Mixture:
    """``weights`` (k,), ``means`` and ``variances`` (k, d)."""

    weights: Floats
    means: Floats
    variances: Floats

    def posteriors(self, rows: Floats) -> Floats:
        """Responsibility of each component for each row: shape (n, k), rows sum to 1."""
        return self._log_joint_and_posteriors(rows)[1]

    def log_likelihood(self, rows: Floats) -> float:
        """Mean natural logarithm of the density over the rows."""
        return float(self._log_joint_and_posteriors(rows)[0].mean())

    def _log_joint_and_posteriors(self, rows: Floats) -> tuple[Floats, Floats]:
        precision = 1.0 / self.variances
        constant = (
            np.log(self.weights)
            - 0.5 * (self.means**2 * precision).sum(axis=1)
            - 0.5 * (np.log(self.variances).sum(axis=1) + rows.shape[1] * np.log(2 * np.pi))
        )
        joint = rows @ (self.means * precision).T - 0.5 * ((rows * rows) @ precision.T) + constant
        top = joint.max(axis=1, keepdims=True)
        shares = np.exp(joint - top)
        total = shares.sum(axis=1, keepdims=True)
        likelihood: Floats = (top + np.log(total))[:, 0]
        posteriors: Floats = (shares / total).astype(np.float32)
        return likelihood, posteriors

    def fisher_vector(self, rows: Floats) -> Floats:
        """Gradients by mean and deviation, not normalised: shape (2 * k * d,); zeros when there are no rows."""
        components, width = self.means.shape
        if not len(rows):
            return np.zeros(2 * components * width, np.float32)
        q = self.posteriors(rows)
        q[q < 1e-4] = 0.0
        zeroth = q.sum(axis=0)[:, None]
        first = q.T @ rows
        second = q.T @ (rows * rows)
        deviation = np.sqrt(self.variances)
        by_mean = (first - zeroth * self.means) / deviation
        by_deviation = (second - 2 * self.means * first + zeroth * self.means**2) / self.variances - zeroth
        share = np.sqrt(self.weights)[:, None]
        vector = np.concatenate([by_mean / share, by_deviation / (share * np.sqrt(2.0))], axis=1) / len(rows)
        return vector.ravel().astype(np.float32)


def fit_mixture(rows: Floats, components: int, rounds: int, rng: np.random.Generator) -> Mixture:
    """Expectation maximisation from k-means++ seeds; never more components than a tenth of the rows.

    Memory is bounded by blocks of 16,384 rows; time is ``rounds`` passes.
    """
    components = max(1, min(components, len(rows) // 10))
    spread = np.maximum(rows.var(axis=0), _LEAST_VARIANCE)
    mixture = Mixture(
        np.full(components, 1.0 / components, np.float32),
        _spread_seeds(rows, components, rng),
        np.tile(spread, (components, 1)).astype(np.float32),
    )
    for _ in range(rounds):
        mixture = _improved(mixture, rows)
    return mixture


def _spread_seeds(rows: Floats, count: int, rng: np.random.Generator) -> Floats:
    """k-means++ on at most 5,000 rows (Arthur and Vassilvitskii 2007)."""
    pool = rows[rng.choice(len(rows), min(len(rows), 5_000), replace=False)]
    seeds = [pool[rng.integers(len(pool))]]
    nearest = np.full(len(pool), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, ((pool - seeds[-1]) ** 2).sum(axis=1))
        total = nearest.sum()
        chance = nearest / total if total > 0 else None
        seeds.append(pool[rng.choice(len(pool), p=chance)])
    return np.array(seeds, np.float32)


def _improved(mixture: Mixture, rows: Floats) -> Mixture:
    zeroth = np.zeros(len(mixture.weights))
    first = np.zeros(mixture.means.shape)
    second = np.zeros(mixture.means.shape)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        q = mixture.posteriors(block)
        zeroth += q.sum(axis=0)
        first += q.T @ block
        second += q.T @ (block * block)
    mass = np.maximum(zeroth, 1e-3)[:, None]
    means = first / mass
    variances = np.maximum(second / mass - means**2, _LEAST_VARIANCE)
    weights = np.maximum(zeroth / zeroth.sum(), 1e-6)
    return Mixture((weights / weights.sum()).astype(np.float32), means.astype(np.float32), variances.astype(np.float32))
