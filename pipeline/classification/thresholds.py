"""How sure is sure enough, category by category, for a wanted precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.novelty import Floors

PRECISION_TARGET = 0.95
LOWEST_THRESHOLD = 0.7  # what is wrong more often than three times in ten goes to a person, however good the others are
NEVER = 1.01  # no probability reaches it: the category's listings all go to a person
_PRIOR = 60.0
_ONE_SIDED_90 = 1.2816


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least confidence at which each category is assigned, and ``target``, the precision they were chosen for.

    ``floors`` are what a listing must be like besides.
    """

    target: float
    by_category: dict[str, float]
    floors: Floors = field(default_factory=Floors)

    def of(self, category: str) -> float:
        """The threshold of a category; one that is not known is never assigned."""
        return self.by_category.get(category, NEVER)


def lower_bound(right: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wilson's lower bound (1927) of a share, one-sided, 90 %: ``right`` of ``count``; 0 for a count of 0."""
    safe = np.maximum(count, 1e-9)
    share, square = right / safe, _ONE_SIDED_90**2
    spread = _ONE_SIDED_90 * np.sqrt(np.maximum(share * (1 - share), 0.0) / safe + square / (4 * safe**2))
    return np.where(count > 0, (share + square / (2 * safe) - spread) / (1 + square / safe), 0.0)


def choose_thresholds(
    categories: Sequence[str],
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    target: float = PRECISION_TARGET,
) -> Thresholds:
    """The lowest threshold of each category at which its precision is, with 90 % certainty, at least ``target``.

    All arrays have shape (n,) and come from held-out predictions. What is known of one category alone is little, so the
    precision of all categories at the same threshold counts as 60 more listings of it. None is below LEAST: listings
    unlike all that were learned from would lie there. NEVER where no threshold serves.
    """
    grid = np.unique(np.maximum(np.round(np.concatenate([[LOWEST_THRESHOLD], confidence]), 4), LOWEST_THRESHOLD))
    overall_right, overall_count = _accepted(grid, confidence, right)
    prior = lower_bound(overall_right, overall_count)
    chosen = {}
    for index, category in enumerate(categories):
        mine = predicted == index
        own_right, own_count = _accepted(grid, confidence[mine], right[mine])
        bound = lower_bound(own_right + _PRIOR * prior, own_count + _PRIOR)
        serving = np.flatnonzero(bound >= target)
        chosen[category] = float(grid[serving[0]]) if len(serving) else NEVER
    return Thresholds(target, chosen)


def _accepted(
    grid: NDArray[np.float64], confidence: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At each threshold of the grid: how many are right, and how many are accepted."""
    order = np.argsort(confidence)
    ranks = np.searchsorted(confidence[order], grid - 1e-9)
    rights = np.concatenate([np.cumsum(right[order][::-1])[::-1], [0]]).astype(np.float64)
    return rights[ranks], (len(confidence) - ranks).astype(np.float64)
