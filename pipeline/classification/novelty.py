"""How like the listings that were learned from a listing is, whatever its category.

Probabilities share out one whole among the categories that are known, so a product of none of them gets a likely
category as well, and often a very likely one. The scores they are made of tell more: an estimator says nearly -1 to
every category when nothing of a listing is known to it. The largest score, before it is compared with the others, is
the usual measure of what is out of distribution (Hendrycks et al. 2022, "Scaling out-of-distribution detection for
real-world settings"). Text and photo are asked alike, and what they say is added.

What is below the floor goes to a person, however sure the answer is ("open set recognition", Scheirer et al. 2013).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
LOST_SHARE = 0.03  # of what would be assigned rightly: the price of telling strangers
FEWEST_FOR_A_FLOOR = 50  # such listings, below which no floor can be told


@dataclass(frozen=True, slots=True)
class ScoreStatistics:
    """Mean and standard deviation of the largest score of an estimator, held out, over what it learned from."""

    mean: float
    spread: float

    @classmethod
    def of(cls, held_out: Floats) -> Self:
        """Of scores (n, categories) of listings by estimators that never saw them."""
        largest = held_out.max(axis=1)
        return cls(float(largest.mean()), max(float(largest.std()), 1e-6))

    def familiarity(self, scores: Floats) -> Floats:
        """Of shape (n,), in standard deviations: 0 is as familiar as what was learned from is on average."""
        return np.asarray((scores.max(axis=1) - self.mean) / self.spread, np.float32)


@dataclass(frozen=True, slots=True)
class MaxScores:
    """Of n listings, by side: ``text`` and ``image`` in standard deviations, and which have that side; all (n,)."""

    text: Floats
    image: Floats
    has_text: Flags
    has_image: Flags

    def rows(self, chosen: Flags) -> MaxScores:
        """The same of some listings; ``chosen`` has shape (n,)."""
        return MaxScores(self.text[chosen], self.image[chosen], self.has_text[chosen], self.has_image[chosen])

    def by_evidence(self) -> dict[str, tuple[Floats, Flags]]:
        """How familiar listings are by ``text``, by ``image`` and by ``both``, and which can be judged by that."""
        both = self.has_text & self.has_image
        return {
            "text": (self.text, self.has_text),
            "image": (self.image, self.has_image),
            "both": (self.text + self.image, both),
        }


@dataclass(frozen=True, slots=True)
class Floors:
    """The least familiarity of what may be assigned, by what a listing has: ``text``, ``image`` or ``both``.

    What is not there has no floor, as in models of an earlier program.
    """

    by_evidence: Mapping[str, float] = field(default_factory=dict)

    def below(self, familiarity: MaxScores) -> Flags:
        """Which listings are strangers, of shape (n,): by all that they have."""
        strange = np.zeros(len(familiarity.text), bool)
        for evidence, (likeness, having) in familiarity.by_evidence().items():
            # By both comes last: who has both is not judged by either.
            strange[having] = likeness[having] < self.by_evidence.get(evidence, -np.inf)
        return strange


def choose_floors(familiarity: MaxScores, assigned: Mapping[str, Flags]) -> Floors:
    """The floors under which LOST of the listings lie that would be assigned rightly.

    ``assigned`` says by ``text``, ``image`` and ``both`` which those are, judged by that and held out, of shape (n,).
    """
    floors = {}
    for evidence, (likeness, having) in familiarity.by_evidence().items():
        known = likeness[having & assigned[evidence]]
        if len(known) >= FEWEST_FOR_A_FLOOR:
            floors[evidence] = float(np.quantile(known, LOST_SHARE))
    return Floors(floors)
