"""Grouped, stratified folds: categories spread evenly, and no group of listings is divided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def assign_folds(categories: Sequence[str], groups: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """A fold number (0 .. folds-1) for each listing; groups stay whole, categories spread as evenly as they allow.

    Works for categories of any size; one with fewer groups than folds is absent from some.
    """
    rng = np.random.default_rng(seed)
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[int(group)].append(index)
    order = rng.permutation(list(members))
    order = order[np.argsort([-len(members[int(group)]) for group in order], kind="stable")]
    filled = {category: np.zeros(folds) for category in set(categories)}
    total = np.zeros(folds)
    assigned = np.zeros(len(groups), np.int64)
    for group in order:
        inside = members[int(group)]
        crowding = sum(filled[categories[index]] for index in inside) * len(groups) + total
        fold = int(np.argmin(crowding))
        for index in inside:
            assigned[index] = fold
            filled[categories[index]][fold] += 1
            total[fold] += 1
    return assigned
