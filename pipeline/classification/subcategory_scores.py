"""Scores of subcategories pooled into scores of the categories they belong to, in two ways.

Their sum is the score that an estimator of the categories themselves would give, since least squares is linear in its
targets. The probability of any of a category's subcategories is another score: one subcategory that fits well counts
for its category, however little the listing resembles the others. Calibration weighs the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Pool, log_probabilities
from pipeline.classification.evidence_views import View
from pipeline.features.extractor import Floats, State


@dataclass(frozen=True, slots=True)
class SubcategoryScores:
    """``parents`` (subcategories,) index the categories; ``pools``, by view, calibrate scores of subcategories."""

    parents: NDArray[np.int64]
    pools: Mapping[View, Pool]

    def category_scores(self, view: View, scores: Floats) -> list[Floats]:
        """Scores (n, subcategories) as two sources of scores, each of shape (n, categories)."""
        membership = (self.parents[:, None] == np.arange(self.parents.max() + 1)).astype(np.float32)
        summed = scores @ membership + (membership.sum(axis=0) - np.float32(1))
        return [summed, log_probabilities(self.pools[view].probabilities([scores]) @ membership)]

    def state(self) -> State:
        """All that ``from_state`` needs."""
        state: State = {"parents": self.parents}
        for view, pool in self.pools.items():
            state |= {f"divided_{view}_slopes": pool.slopes, f"divided_{view}_bias": pool.bias}
        return state

    @classmethod
    def from_state(cls, state: State) -> Self | None:
        """The same again; None for the state of a model without subcategories."""
        if "parents" not in state:
            return None
        pools = {
            view: Pool(state[f"divided_{view}_slopes"], state[f"divided_{view}_bias"])
            for view in map(View, state["views"])
        }
        return cls(state["parents"], pools)
