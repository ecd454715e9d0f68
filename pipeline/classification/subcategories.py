"""Scores of divisions, made into scores of the categories that they divide, in two ways.

Their sum is what an estimator of the categories themselves would have said, since least squares is linear in its
targets. The probability that it is any of them is not: one division that fits well speaks for its category, however
little the listing is like the others. Calibration weighs the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Floats, Pool, log_probabilities
from pipeline.classification.evidence_views import View
from pipeline.classification.taxonomy_level import cut
from pipeline.features.extractor import State


@dataclass(frozen=True, slots=True)
class SubcategoryScores:
    """``parents`` (divisions,) are the categories 0 .. kinds-1; ``pools``, by view, calibrate scores of divisions."""

    parents: NDArray[np.int64]
    pools: Mapping[View, Pool]

    def sources(self, view: View, scores: Floats) -> list[Floats]:
        """Scores (n, divisions) to two sources of shape (n, kinds)."""
        within = (self.parents[:, None] == np.arange(self.parents.max() + 1)).astype(np.float32)
        summed = scores @ within + (within.sum(axis=0) - np.float32(1))
        return [summed, log_probabilities(self.pools[view].probabilities([scores]) @ within)]

    def state(self) -> State:
        """All that ``from_state`` needs."""
        state: State = {"parents": self.parents}
        for view, pool in self.pools.items():
            state |= {f"divided_{view}_slopes": pool.slopes, f"divided_{view}_bias": pool.bias}
        return state

    @classmethod
    def from_state(cls, state: State) -> Self | None:
        """The same again; None where the state has no divisions."""
        if "parents" not in state:
            return None
        pools = {
            view: Pool(state[f"divided_{view}_slopes"], state[f"divided_{view}_bias"])
            for view in map(View, state["views"])
        }
        return cls(state["parents"], pools)


@dataclass(frozen=True, slots=True)
class Subcategories:
    """``labels`` (n,) are divisions, ``parents`` (divisions,) the category each is of; every category has one."""

    labels: NDArray[np.int64]
    parents: NDArray[np.int64]


def subdivide(paths: Sequence[str], labels: NDArray[np.int64], kinds: int, level: int) -> Subcategories | None:
    """The divisions one level below ``level``; None where no category has one.

    ``paths`` are whole categories. Listings whose own division has fewer than LEAST of them, or which end above, share
    one: the rest of their category.
    """
    names = [cut(path, level + 1) for path in paths]
    counts = Counter((int(label), name) for label, name in zip(labels, names, strict=True))
    large = sorted((pair for pair, count in counts.items() if count >= LEAST), key=lambda pair: (-counts[pair], pair))
    told = set(large[: max(MOST - kinds, 0)])
    own = [(int(label), name if (int(label), name) in told else "") for label, name in zip(labels, names, strict=True)]
    divisions = sorted({*own, *((absent, "") for absent in set(range(kinds)) - set(map(int, labels)))})
    if len(divisions) <= kinds:
        return None
    index = {division: at for at, division in enumerate(divisions)}
    return Subcategories(
        np.array([index[each] for each in own], np.int64), np.array([parent for parent, _ in divisions], np.int64)
    )


LEAST = 8  # listings of a division: fewer are mostly chance
MOST = 200  # categories and divisions together; the largest divisions are told apart first
