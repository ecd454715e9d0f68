"""From probabilities to an act: assign, hand to a person, or abstain, and why, in plain words."""

from __future__ import annotations

from pipeline.classification.thresholds import NEVER, Thresholds
from pipeline.domain.prediction import Decision, DecisionStatus, Prediction


def decide(
    fused: Prediction | None,
    thresholds: Thresholds,
    text_problem: str | None = None,
    image_problem: str | None = None,
    strange: bool = False,
) -> Decision:
    """The decision for one listing; a problem is why that side of the evidence could not be used, None when it was.

    ``fused`` is None when neither could: the decision is then ``abstained``. What is ``strange`` (see ``familiarity``)
    is never assigned.
    """
    if fused is None:
        why = f"{text_problem or 'no usable text'}; {image_problem or 'no usable photo'}"
        return Decision(DecisionStatus.ABSTAINED, None, None, f"nothing to judge by: {why}")
    best = fused.best
    needed = thresholds.of(best.category)
    certainty = f"{_percent(best.probability)} sure"
    if best.probability >= needed and strange:
        status, reason = DecisionStatus.NEEDS_REVIEW, f"{certainty} of those it knows"
    elif best.probability >= needed:
        status, reason = DecisionStatus.ASSIGNED, f"{certainty}; this category needs {_percent(needed)}"
    elif needed >= NEVER:
        status = DecisionStatus.NEEDS_REVIEW
        reason = f"{certainty}, but answers for this category are not reliable enough yet to go without a person"
    else:
        status, reason = DecisionStatus.NEEDS_REVIEW, f"only {certainty}; this category needs {_percent(needed)}"
    if strange:
        reason += "; unlike the listings that this model learned from, perhaps no category fits"
    return Decision(status, best.category, best.probability, reason + _one_sided(text_problem, image_problem))


def _one_sided(text_problem: str | None, image_problem: str | None) -> str:
    if image_problem:
        return f"; decided on text alone: {image_problem}"
    return f"; decided on the photo alone: {text_problem}" if text_problem else ""


def _percent(share: float) -> str:
    """Rounded down: what reads as 100 % is certain."""
    return f"{int(share * 1000) / 10:g} %"
