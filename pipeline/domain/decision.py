"""Decision: the category that Rayon gives a listing, or that a person has to review it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.domain.category import SEPARATOR
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

_LEFT_OPEN = {ReasonCode.LEVEL_LEFT_OPEN.value, ReasonCode.LEVELS_BELOW_LEFT_OPEN.value}


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


def level_of(category: str | None) -> int | None:
    """The level of a decision's category, 1 at the top; None without a category."""
    return None if category is None else category.count(SEPARATOR) + 1


def open_level(coded_reason: Mapping[str, Any] | None) -> int | None:
    """The first level that a decision leaves open, from its stored reason; None if it leaves none open."""
    levels = (
        reason.get("parameters", {}).get("level")
        for reason in (coded_reason or {}).get("further") or ()
        if reason.get("code") in _LEFT_OPEN
    )
    return next((level for level in levels if isinstance(level, int)), None)
