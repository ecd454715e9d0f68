"""Scores of divisions, made into scores of the categories that they divide, in two ways.

Their sum is what an estimator of the categories themselves would have said, since least squares is linear in its
targets. The probability that it is any of them is not: one division that fits well speaks for its category, however
little the listing is like the others. Calibration weighs the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Floats, Pool, log_probabilities
from pipeline.classification.evidence_views import View
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
