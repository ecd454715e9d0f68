"""Decision policy: thresholds for a precision target; assign a category, ask for a review, or abstain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.category_tree import depth
from pipeline.classification.novelty import NoveltyFloors
from pipeline.domain.decision import Decision, DecisionStatus
from pipeline.domain.prediction import Prediction, Ranked
from pipeline.domain.reason import Reason, Value
from pipeline.domain.reason_code import ReasonCode
from pipeline.features.extractor import Mask

# More than 30 % of less confident predictions are wrong: they go to review, whatever the target.
LOWEST_THRESHOLD = 0.7
UNREACHABLE_THRESHOLD = 1.01  # above every probability: all listings of the category go to review
EVEN_CHANCE = 0.5  # a category that is likelier than not is suggested rather than the ones above it
MIN_PREDICTIONS = 5  # held-out listings for which a category was predicted, below which it is never assigned
_PRIOR_LISTINGS = 60.0  # weight, in each category, of the precision over all categories
_Z_90 = 1.2816  # 90 % quantile of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The minimum confidence at which each category is assigned, at any level, chosen for the ``target`` precision.

    Nothing below the novelty ``floors`` is assigned.
    """

    target: float
    by_category: dict[str, float]
    floors: NoveltyFloors = field(default_factory=NoveltyFloors)

    def of(self, category: str) -> float:
        """The threshold of a category; an unknown one is never assigned."""
        return self.by_category.get(category, UNREACHABLE_THRESHOLD)


def wilson_lower_bound(correct: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wilson's (1927) one-sided 90 % lower bound of the share ``correct / count``; 0 for a count of 0."""
    safe_count = np.maximum(count, 1e-9)
    share, z_squared = correct / safe_count, _Z_90**2
    margin = _Z_90 * np.sqrt(np.maximum(share * (1 - share), 0.0) / safe_count + z_squared / (4 * safe_count**2))
    return np.where(count > 0, (share + z_squared / (2 * safe_count) - margin) / (1 + z_squared / safe_count), 0.0)


def choose_thresholds(
    categories: Sequence[str],
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float64],
    correct: Mask,
    target: float,
) -> Thresholds:
    """The lowest threshold of each category at which its precision is at least ``target``, with 90 % confidence.

    All arrays have shape (n,) and come from held-out predictions. A single category has few of them, so the precision
    of all categories at the same threshold counts as 60 more listings of it. No threshold is below LOWEST_THRESHOLD,
    where novel listings are found; it is UNREACHABLE_THRESHOLD where the target cannot be reached, and for a category
    that was predicted too rarely to say.
    """
    grid = np.unique(np.maximum(np.round(np.concatenate([[LOWEST_THRESHOLD], confidence]), 4), LOWEST_THRESHOLD))
    overall = _count_at_or_above(grid, confidence, correct)
    prior = wilson_lower_bound(overall.correct, overall.listings)
    by_category = {}
    for index, category in enumerate(categories):
        in_category = predicted == index
        if in_category.sum() < MIN_PREDICTIONS:
            by_category[category] = UNREACHABLE_THRESHOLD
            continue
        category_counts = _count_at_or_above(grid, confidence[in_category], correct[in_category])
        precision_bound = wilson_lower_bound(
            category_counts.correct + _PRIOR_LISTINGS * prior, category_counts.listings + _PRIOR_LISTINGS
        )
        sufficient = np.flatnonzero(precision_bound >= target)
        by_category[category] = float(grid[sufficient[0]]) if len(sufficient) else UNREACHABLE_THRESHOLD
    return Thresholds(target, by_category)


class _Counts(NamedTuple):
    """By threshold of a grid: the number of ``listings`` at or above it, and of the ``correct`` ones among them."""

    correct: NDArray[np.float64]
    listings: NDArray[np.float64]


def _count_at_or_above(grid: NDArray[np.float64], confidence: NDArray[np.float64], correct: Mask) -> _Counts:
    order = np.argsort(confidence)
    ranks = np.searchsorted(confidence[order], grid - 1e-9)
    n_correct = np.concatenate([np.cumsum(correct[order][::-1])[::-1], [0]]).astype(np.float64)
    return _Counts(n_correct[ranks], (len(confidence) - ranks).astype(np.float64))


@dataclass(frozen=True, slots=True)
class PathDown:
    """The most probable category at each level, from the top down, where each is below the one before.

    ``goes_on`` says that there are categories below the last one, none of which is likely.
    """

    ranked: tuple[Ranked, ...]
    goes_on: bool = False

    def answer(self, thresholds: Thresholds) -> int | None:
        """The position of the deepest category that reaches its threshold; None if none does."""
        sure = [
            position
            for position, ranked in enumerate(self.ranked)
            if ranked.probability >= thresholds.of(ranked.category)
        ]
        return sure[-1] if sure else None

    @property
    def suggestion(self) -> int:
        """The position of the deepest category that is more likely than not, else of the first."""
        likely = [position for position, ranked in enumerate(self.ranked) if ranked.probability >= EVEN_CHANCE]
        return likely[-1] if likely else 0


def decide(
    fused: Prediction | None,
    thresholds: Thresholds,
    *,
    path: PathDown | None = None,
    min_level: int = 1,
    text_problem: Reason | None = None,
    photo_problem: Reason | None = None,
    novel: bool = False,
) -> Decision:
    """Decide one listing; a problem is the reason why text or photo could not be used, None if it could.

    ``fused`` is None when neither could be used: the decision is then ``abstained``. A ``novel`` product (see
    ``novelty``) is never assigned. A model of whole paths gives the ``path`` down the taxonomy: the deepest category on
    it that reaches its threshold is the answer, and one above ``min_level`` goes to review.
    """
    if fused is None:
        reason = Reason.of(
            ReasonCode.NOTHING_TO_JUDGE,
            text_problem=text_problem or Reason(ReasonCode.NO_USABLE_TEXT),
            photo_problem=photo_problem or Reason(ReasonCode.NO_USABLE_PHOTO),
        )
        return Decision(DecisionStatus.ABSTAINED, None, None, reason)
    path = path or PathDown((fused.best,))
    position = path.answer(thresholds)
    best = path.ranked[path.suggestion if position is None else position]
    further = tuple(_further_reasons(text_problem, photo_problem, novel=novel))
    if position is not None and min_level > 1 and depth(best.category) < min_level:
        suggestion = path.ranked[max(path.suggestion, position)]
        above: Mapping[str, Value] = {
            "confidence": best.probability,
            "category": best.category,
            "min_level": min_level,
        }
        reason = Reason(ReasonCode.ABOVE_MIN_LEVEL, above).with_further(*further)
        return Decision(DecisionStatus.NEEDS_REVIEW, suggestion.category, suggestion.probability, reason)
    threshold = thresholds.of(best.category)
    code = _code(confident=position is not None, novel=novel, reachable=threshold < UNREACHABLE_THRESHOLD)
    status = DecisionStatus.ASSIGNED if position is not None and not novel else DecisionStatus.NEEDS_REVIEW
    parameters = {"confidence": best.probability} | (
        {"threshold": threshold} if threshold < UNREACHABLE_THRESHOLD else {}
    )
    left_open = () if position is None else tuple(_left_open(path, position))
    reason = Reason(code, parameters).with_further(*left_open, *further)
    return Decision(status, best.category, best.probability, reason)


def _left_open(path: PathDown, position: int) -> Iterator[Reason]:
    level = depth(path.ranked[position].category) + 1
    if position + 1 < len(path.ranked):
        below = path.ranked[position + 1]
        parameters: Mapping[str, Value] = {
            "level": level,
            "confidence": below.probability,
            "category": below.category,
        }
        yield Reason(ReasonCode.LEVEL_LEFT_OPEN, parameters)
    elif path.goes_on:
        yield Reason(ReasonCode.LEVELS_BELOW_LEFT_OPEN, {"level": level})


def _code(*, confident: bool, novel: bool, reachable: bool) -> ReasonCode:
    if confident:
        return ReasonCode.SURE_OF_KNOWN if novel else ReasonCode.ASSIGNED
    return ReasonCode.BELOW_THRESHOLD if reachable else ReasonCode.UNRELIABLE_CATEGORY


def _further_reasons(text_problem: Reason | None, photo_problem: Reason | None, *, novel: bool) -> Iterator[Reason]:
    if novel:
        yield Reason(ReasonCode.UNLIKE_KNOWN_LISTINGS)
    if photo_problem is not None:
        yield Reason.of(ReasonCode.TEXT_ONLY, problem=photo_problem)
    elif text_problem is not None:
        yield Reason.of(ReasonCode.PHOTO_ONLY, problem=text_problem)
