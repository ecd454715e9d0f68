"""Novelty: detects listings that do not resemble the training set, whatever their category.

Probabilities sum to one over the known categories, so a product that belongs to none of them still gets a category,
often with high probability. The underlying scores show more: an estimator gives nearly -1 to every category when it
knows nothing about a listing. The maximum score, not normalised over the categories, is a common measure of how far an
input is out of distribution (Hendrycks et al. 2022, "Scaling out-of-distribution detection for real-world settings").
It is standardised separately for text and photo, and the two are added.

A listing below the floor goes to review, however confident its prediction ("open set recognition", Scheirer et al.
2013).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np

from pipeline.features.extractor import Floats, Mask

LOST_SHARE = 0.03  # of the correct assignments, sacrificed to review so that novel listings are caught
MIN_LISTINGS_FOR_FLOOR = 50  # correctly assigned listings


@dataclass(frozen=True, slots=True)
class ScoreStatistics:
    """Mean and standard deviation of an estimator's maximum held-out score, over the listings it was fitted on."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, held_out: Floats) -> Self:
        """The statistics of held-out scores (n, categories)."""
        max_scores = held_out.max(axis=1)
        return cls(float(max_scores.mean()), max(float(max_scores.std()), 1e-6))

    def standardised_max(self, scores: Floats) -> Floats:
        """The maximum score of each row of (n, categories), in standard deviations from the mean: (n,)."""
        return np.asarray((scores.max(axis=1) - self.mean) / self.deviation, np.float32)


class EvidenceScores(NamedTuple):
    """Standardised maximum scores (n,) by one kind of evidence; ``has`` (n,) marks the listings with that evidence."""

    scores: Floats
    has: Mask


@dataclass(frozen=True, slots=True)
class MaxScores:
    """Standardised maximum scores of n listings by ``text`` and ``image``, and masks of those that have each; all (n,).

    The lower the score, the more novel the listing.
    """

    text: Floats
    image: Floats
    has_text: Mask
    has_image: Mask

    def subset(self, mask: Mask) -> MaxScores:
        """The scores of the listings in ``mask``, (n,)."""
        return MaxScores(self.text[mask], self.image[mask], self.has_text[mask], self.has_image[mask])

    def by_evidence(self) -> dict[str, EvidenceScores]:
        """The scores by ``text``, by ``image`` and by ``both``."""
        return {
            "text": EvidenceScores(self.text, self.has_text),
            "image": EvidenceScores(self.image, self.has_image),
            "both": EvidenceScores(self.text + self.image, self.has_text & self.has_image),
        }


@dataclass(frozen=True, slots=True)
class NoveltyFloors:
    """The minimum standardised score for a listing to be assigned, by its evidence: ``text``, ``image`` or ``both``.

    Evidence without an entry has no floor, as in models of earlier versions.
    """

    by_evidence: Mapping[str, float] = field(default_factory=dict)

    def below(self, max_scores: MaxScores) -> Mask:
        """Mask (n,) of the novel listings, each judged by all the evidence it has."""
        novel = np.zeros(len(max_scores.text), bool)
        for evidence, (scores, has) in max_scores.by_evidence().items():
            # "both" comes last: for listings that have both, it replaces the verdicts by text and by image.
            novel[has] = scores[has] < self.by_evidence.get(evidence, -np.inf)
        return novel


def choose_floors(max_scores: MaxScores, correctly_assigned: Mapping[str, Mask]) -> NoveltyFloors:
    """Choose the floors below which LOST_SHARE of the correctly assigned listings fall.

    ``correctly_assigned``, by ``text``, ``image`` and ``both``, are masks (n,) of the listings that this evidence would
    assign to their own category, held out.
    """
    floors = {}
    for evidence, (scores, has) in max_scores.by_evidence().items():
        known_scores = scores[has & correctly_assigned[evidence]]
        if len(known_scores) >= MIN_LISTINGS_FOR_FLOOR:
            floors[evidence] = float(np.quantile(known_scores, LOST_SHARE))
    return NoveltyFloors(floors)
