"""What a model is taught: the category of each listing, its fold, and into what its category divides below.

A model answers at one level of the taxonomy, yet most listings say more of themselves. "Kitchen" is many things that
look nothing like each other; an estimator that is also told mugs from pans need not find one rule for both. What it
learns of the divisions is added up again, so that the answer stays at the level that was asked for. Photos gain by it.
Texts do not: words of several things add up by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.subcategories import Subcategories, subdivide


@dataclass(frozen=True, slots=True)
class Targets:
    """``labels`` (n,), 0 .. kinds-1; ``folds`` (n,); ``divided``, where the taxonomy goes deeper."""

    labels: NDArray[np.int64]
    kinds: int
    folds: NDArray[np.int64]
    divided: Subcategories | None = None

    @classmethod
    def of(
        cls, paths: Sequence[str], labels: NDArray[np.int64], kinds: int, folds: NDArray[np.int64], level: int
    ) -> Self:
        """What listings of these whole categories teach a model that answers at ``level``."""
        return cls(labels, kinds, folds, subdivide(paths, labels, kinds, level))

    def undivided(self) -> Self:
        """The same without divisions."""
        return replace(self, divided=None)
