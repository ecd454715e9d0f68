"""Decision: the category that Rayon gives a listing, or that a person has to review it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.reason import Reason


class DecisionStatus(StrEnum):
    """The outcome for a revision."""

    ASSIGNED = "assigned"
    NEEDS_REVIEW = "needs_review"
    ABSTAINED = "abstained"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on one revision by one model version, or without a model.

    ``provisional`` means that the job stays open, and a final decision will replace this one.
    """

    status: DecisionStatus
    category: str | None
    confidence: float | None
    reason: Reason
    provisional: bool = False
