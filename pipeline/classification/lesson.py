"""What a model is taught: the category of each listing, its fold, and into what its category divides below.

A model answers at one level of the taxonomy, yet most listings say more of themselves. "Kitchen" is many things that
look nothing like each other; an estimator that is also told mugs from pans need not find one rule for both. What it
learns of the divisions is added up again, so that the answer stays at the level that was asked for. Photos gain by it.
Texts do not: words of several things add up by themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.levels import cut

LEAST = 8  # listings of a division: fewer are mostly chance
MOST = 200  # categories and divisions together; the largest divisions are told apart first


@dataclass(frozen=True, slots=True)
class Divided:
    """``labels`` (n,) are divisions, ``parents`` (divisions,) the category each is of; every category has one."""

    labels: NDArray[np.int64]
    parents: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lesson:
    """``labels`` (n,), 0 .. kinds-1; ``folds`` (n,); ``divided``, where the taxonomy goes deeper."""

    labels: NDArray[np.int64]
    kinds: int
    folds: NDArray[np.int64]
    divided: Divided | None = None

    @classmethod
    def of(
        cls, paths: Sequence[str], labels: NDArray[np.int64], kinds: int, folds: NDArray[np.int64], level: int
    ) -> Self:
        """What listings of these whole categories teach a model that answers at ``level``."""
        return cls(labels, kinds, folds, divide(paths, labels, kinds, level))

    def undivided(self) -> Self:
        """The same without divisions."""
        return replace(self, divided=None)


def divide(paths: Sequence[str], labels: NDArray[np.int64], kinds: int, level: int) -> Divided | None:
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
    return Divided(
        np.array([index[each] for each in own], np.int64), np.array([parent for parent, _ in divisions], np.int64)
    )
