"""Decision policy: thresholds for a precision target; assign a category, ask for a review, or abstain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.novelty import NoveltyFloors
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.prediction import Prediction
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.features.extractor import Mask

# Less confident predictions are wrong more than three times in ten: they go to review, whatever the target.
LOWEST_THRESHOLD = 0.7
NEVER = 1.01  # no probability reaches it: all listings of the category go to review
_PRIOR = 60.0  # listings that the precision of all categories counts as, in each category
_ONE_SIDED_90 = 1.2816


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least confidence at which each category is assigned; ``target`` is the precision it was chosen for.

    Below the ``floors`` of novelty nothing is assigned.
    """

    target: float
    by_category: dict[str, float]
    floors: NoveltyFloors = field(default_factory=NoveltyFloors)

    def of(self, category: str) -> float:
        """The threshold of a category; an unknown one is never assigned."""
        return self.by_category.get(category, NEVER)


def lower_bound(right: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wilson's lower bound (1927) of a share, one-sided, 90 %: ``right`` of ``count``; 0 for a count of 0."""
    safe = np.maximum(count, 1e-9)
    share, square = right / safe, _ONE_SIDED_90**2
    spread = _ONE_SIDED_90 * np.sqrt(np.maximum(share * (1 - share), 0.0) / safe + square / (4 * safe**2))
    return np.where(count > 0, (share + square / (2 * safe) - spread) / (1 + square / safe), 0.0)


def choose_thresholds(
    categories: Sequence[str],
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float64],
    right: Mask,
    target: float,
) -> Thresholds:
    """The lowest threshold of each category at which its precision is at least ``target``, with 90 % certainty.

    All arrays have shape (n,) and come from held-out predictions. A category alone has few of them, so the precision of
    all categories at the same threshold counts as 60 more listings of it. None is below LOWEST_THRESHOLD, where novel
    listings would be. NEVER where no threshold reaches the target.
    """
    grid = np.unique(np.maximum(np.round(np.concatenate([[LOWEST_THRESHOLD], confidence]), 4), LOWEST_THRESHOLD))
    overall = _at_or_above(grid, confidence, right)
    prior = lower_bound(overall.right, overall.listings)
    chosen = {}
    for index, category in enumerate(categories):
        mine = predicted == index
        own = _at_or_above(grid, confidence[mine], right[mine])
        bound = lower_bound(own.right + _PRIOR * prior, own.listings + _PRIOR)
        reaching = np.flatnonzero(bound >= target)
        chosen[category] = float(grid[reaching[0]]) if len(reaching) else NEVER
    return Thresholds(target, chosen)


class _Counts(NamedTuple):
    """At each threshold of a grid: the number of ``listings`` at or above it, and of those that are ``right``."""

    right: NDArray[np.float64]
    listings: NDArray[np.float64]


def _at_or_above(grid: NDArray[np.float64], confidence: NDArray[np.float64], right: Mask) -> _Counts:
    order = np.argsort(confidence)
    ranks = np.searchsorted(confidence[order], grid - 1e-9)
    rights = np.concatenate([np.cumsum(right[order][::-1])[::-1], [0]]).astype(np.float64)
    return _Counts(rights[ranks], (len(confidence) - ranks).astype(np.float64))


def decide(
    fused: Prediction | None,
    thresholds: Thresholds,
    *,
    text_problem: Reason | None = None,
    photo_problem: Reason | None = None,
    novel: bool = False,
) -> Decision:
    """Decide one listing; a problem is the reason why text or photo could not be used, None if it was.

    ``fused`` is None when neither could be used: the decision is ``abstained``. A ``novel`` product (see ``novelty``)
    is never assigned.
    """
    if fused is None:
        reason = Reason.of(
            ReasonCode.NOTHING_TO_JUDGE,
            text_problem=text_problem or Reason(ReasonCode.NO_USABLE_TEXT),
            photo_problem=photo_problem or Reason(ReasonCode.NO_USABLE_PHOTO),
        )
        return Decision(DecisionStatus.ABSTAINED, None, None, reason)
    best, threshold = fused.best, thresholds.of(fused.best.category)
    sure = best.probability >= threshold
    code = _code(sure=sure, novel=novel, reachable=threshold < NEVER)
    status = DecisionStatus.ASSIGNED if sure and not novel else DecisionStatus.NEEDS_REVIEW
    figures = {"confidence": best.probability} | ({"threshold": threshold} if threshold < NEVER else {})
    reason = Reason(code, figures).with_further(*_qualifications(text_problem, photo_problem, novel=novel))
    return Decision(status, best.category, best.probability, reason)


def _code(*, sure: bool, novel: bool, reachable: bool) -> ReasonCode:
    if sure:
        return ReasonCode.SURE_OF_KNOWN if novel else ReasonCode.ASSIGNED
    return ReasonCode.BELOW_THRESHOLD if reachable else ReasonCode.UNRELIABLE_CATEGORY


def _qualifications(text_problem: Reason | None, photo_problem: Reason | None, *, novel: bool) -> Iterator[Reason]:
    if novel:
        yield Reason(ReasonCode.UNLIKE_KNOWN_LISTINGS)
    if photo_problem is not None:
        yield Reason.of(ReasonCode.TEXT_ONLY, problem=photo_problem)
    elif text_problem is not None:
        yield Reason.of(ReasonCode.PHOTO_ONLY, problem=text_problem)
