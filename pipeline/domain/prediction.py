"""Prediction: the ranked categories by one modality of a model version. Decision: the result that Rayon acts on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.reason import Reason


class Modality(StrEnum):
    """The evidence that a prediction is made from."""

    TEXT = "text"
    IMAGE = "image"
    FUSED = "fused"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A category (canonical path text) with its calibrated probability."""

    category: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """Categories ranked by probability, best first; never empty."""

    modality: Modality
    ranked: tuple[Ranked, ...]

    @property
    def best(self) -> Ranked:
        """The most probable category."""
        return self.ranked[0]


class DecisionStatus(StrEnum):
    """How a revision ended."""

    ASSIGNED = "assigned"
    NEEDS_REVIEW = "needs_review"
    ABSTAINED = "abstained"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one revision by one model version (or by none).

    ``provisional`` means that the job stays open: a final decision replaces this one.
    """

    status: DecisionStatus
    category: str | None
    confidence: float | None
    reason: Reason
    provisional: bool = False
