"""Combine scores of subcategories into scores of their categories, in two ways.

Their sum is the score that an estimator of the categories themselves would give, since least squares is linear in its
targets. The other score is the total probability of a category's subcategories: a listing that clearly fits one
subcategory scores high for the category, however little it resembles the others. Calibration weights the two.
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
    """``parents`` (subcategories,) are category indices; ``pools``, by view, calibrate the scores of subcategories."""

    parents: NDArray[np.int64]
    pools: Mapping[View, Pool]

    def category_scores(self, view: View, scores: Floats) -> list[Floats]:
        """Scores (n, subcategories) to two score matrices, each of shape (n, categories)."""
        membership = (self.parents[:, None] == np.arange(self.parents.max() + 1)).astype(np.float32)
        summed = scores @ membership + (membership.sum(axis=0) - np.float32(1))
        return [summed, log_probabilities(self.pools[view].probabilities([scores]) @ membership)]

    def state(self) -> State:
        """Everything that ``from_state`` needs."""
        state: State = {"parents": self.parents}
        for view, pool in self.pools.items():
            state |= {f"divided_{view}_slopes": pool.slopes, f"divided_{view}_bias": pool.bias}
        return state

    @classmethod
    def from_state(cls, state: State) -> Self | None:
        """Restore from ``state``; None for a model without subcategories."""
        if "parents" not in state:
            return None
        pools = {
            view: Pool(state[f"divided_{view}_slopes"], state[f"divided_{view}_bias"])
            for view in map(View, state["views"])
        }
        return cls(state["parents"], pools)
