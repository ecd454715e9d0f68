"""Decision policy: assign a category, ask for a review, or abstain, and for which reasons."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.classification.thresholds import NEVER, Thresholds
from pipeline.domain.prediction import Decision, DecisionStatus, Prediction
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode


def decide(
    fused: Prediction | None,
    thresholds: Thresholds,
    *,
    text_problem: Reason | None = None,
    photo_problem: Reason | None = None,
    novel: bool = False,
) -> Decision:
    """Decide one listing; a problem says why text or photo could not be used, None that it was.

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
    reason = Reason(code, figures).but(*_qualifications(text_problem, photo_problem, novel=novel))
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
