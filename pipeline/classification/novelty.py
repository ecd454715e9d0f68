"""Novelty: detects listings that do not resemble the training set, whatever their category.

Probabilities sum to one over the known categories, so a product of none of them gets a likely category too, and often
a very likely one. The scores behind them show more: an estimator gives nearly -1 to every category when it knows
nothing about a listing. The largest score, not normalised over the categories, is a common measure of how far an
input is out of distribution (Hendrycks et al. 2022, "Scaling out-of-distribution detection for real-world settings").
It is standardised for text and photo alike, and the two are added.

A listing below the floor goes to review, however sure its prediction ("open set recognition", Scheirer et al. 2013).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np

from pipeline.features.extractor import Floats, Mask

LOST_SHARE = 0.03  # of the correct assignments, which go to review so that novel listings do
MIN_LISTINGS_FOR_FLOOR = 50  # rightly assigned listings


@dataclass(frozen=True, slots=True)
class ScoreStatistics:
    """Mean and standard deviation of an estimator's largest held-out score, over the listings it was fitted on."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, held_out: Floats) -> Self:
        """The statistics of held-out scores (n, categories)."""
        largest = held_out.max(axis=1)
        return cls(float(largest.mean()), max(float(largest.std()), 1e-6))

    def standardised_max(self, scores: Floats) -> Floats:
        """The largest score of each row of (n, categories), in standard deviations from the mean: (n,)."""
        return np.asarray((scores.max(axis=1) - self.mean) / self.deviation, np.float32)


class EvidenceScores(NamedTuple):
    """Standardised largest scores (n,) by one kind of evidence, and the listings that have that evidence, (n,)."""

    scores: Floats
    has: Mask


@dataclass(frozen=True, slots=True)
class MaxScores:
    """Standardised largest scores of n listings by ``text`` and ``image``, and which have either; all of shape (n,).

    The lower, the more novel.
    """

    text: Floats
    image: Floats
    has_text: Mask
    has_image: Mask

    def rows(self, chosen: Mask) -> MaxScores:
        """The scores of some listings; ``chosen`` has shape (n,)."""
        return MaxScores(self.text[chosen], self.image[chosen], self.has_text[chosen], self.has_image[chosen])

    def by_evidence(self) -> dict[str, EvidenceScores]:
        """The scores by ``text``, by ``image`` and by ``both``."""
        return {
            "text": EvidenceScores(self.text, self.has_text),
            "image": EvidenceScores(self.image, self.has_image),
            "both": EvidenceScores(self.text + self.image, self.has_text & self.has_image),
        }


@dataclass(frozen=True, slots=True)
class NoveltyFloors:
    """The lowest largest score at which a listing may be assigned, by its evidence: ``text``, ``image`` or ``both``.

    Evidence that is absent here has no floor, as in models of an earlier program.
    """

    by_evidence: Mapping[str, float] = field(default_factory=dict)

    def below(self, max_scores: MaxScores) -> Mask:
        """The novel listings, (n,), each by all the evidence it has."""
        novel = np.zeros(len(max_scores.text), bool)
        for evidence, (scores, has) in max_scores.by_evidence().items():
            # "both" comes last: it replaces the verdicts of either on a listing that has both.
            novel[has] = scores[has] < self.by_evidence.get(evidence, -np.inf)
        return novel


def choose_floors(max_scores: MaxScores, rightly_assigned: Mapping[str, Mask]) -> NoveltyFloors:
    """The floors below which LOST_SHARE of the rightly assigned listings are.

    ``rightly_assigned`` says by ``text``, ``image`` and ``both`` which listings, (n,), that evidence would assign to
    their category, held out.
    """
    floors = {}
    for evidence, (scores, has) in max_scores.by_evidence().items():
        known = scores[has & rightly_assigned[evidence]]
        if len(known) >= MIN_LISTINGS_FOR_FLOOR:
            floors[evidence] = float(np.quantile(known, LOST_SHARE))
    return NoveltyFloors(floors)
