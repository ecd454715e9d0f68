"""How far an accuracy, and the difference of two, may be chance: intervals by the bootstrap (Efron 1979)."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

DRAWS = 5_000


class Interval(TypedDict):
    """A figure, and from ``low`` to ``high`` what 95 % of the samples drawn again gave."""

    mean: float
    low: float
    high: float


def accuracy(right: NDArray[np.bool_], seed: int = 0) -> Interval:
    """Of answers that are right or wrong, shape (n,) with n > 0."""
    return difference(right, np.zeros(len(right), bool), seed)


def difference(one: NDArray[np.bool_], other: NDArray[np.bool_], seed: int = 0) -> Interval:
    """Accuracy of ``one`` less that of ``other`` on the same listings, shape (n,): paired, so what both share cancels.

    A listing counts -1, 0 or 1; drawing listings with replacement draws these three from a multinomial distribution.
    """
    count = len(one)
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    shares = [gained / count, lost / count, max(0.0, 1 - gained / count - lost / count)]
    drawn = np.random.default_rng(seed).multinomial(count, shares, DRAWS)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / count, [2.5, 97.5])
    return Interval(mean=(gained - lost) / count, low=float(low), high=float(high))
