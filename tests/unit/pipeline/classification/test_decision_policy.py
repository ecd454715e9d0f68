from __future__ import annotations

import pytest

from pipeline.classification.decision_policy import decide
from pipeline.classification.thresholds import NEVER, Thresholds
from pipeline.domain.prediction import DecisionStatus, Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode


def prediction(probability: float) -> Prediction:
    return Prediction(Modality.FUSED, (Ranked("A", probability), Ranked("B", 1 - probability)))


@pytest.mark.parametrize(
    ("probability", "threshold", "status", "reason"),
    [
        (0.9, 0.8, DecisionStatus.ASSIGNED, "90 % sure; this category needs 80 %"),
        (0.8, 0.8, DecisionStatus.ASSIGNED, "80 % sure"),
        (0.7, 0.8, DecisionStatus.NEEDS_REVIEW, "only 70 % sure; this category needs 80 %"),
        (0.99, NEVER, DecisionStatus.NEEDS_REVIEW, "not reliable enough"),
    ],
)
def test_a_decision_has_a_status_and_a_reason(
    probability: float, threshold: float, status: DecisionStatus, reason: str
) -> None:
    decision = decide(prediction(probability), Thresholds(0.95, {"A": threshold}))
    assert decision.status is status
    assert (decision.category, decision.confidence) == ("A", probability)
    assert reason in str(decision.reason)
    assert not decision.provisional


def test_without_evidence_both_reasons_are_named() -> None:
    decision = decide(
        None,
        Thresholds(0.95, {}),
        text_problem=Reason(ReasonCode.NO_TEXT),
        photo_problem=Reason(ReasonCode.NO_PHOTO),
    )
    assert decision.status is DecisionStatus.ABSTAINED
    assert (decision.category, decision.confidence) == (None, None)
    assert str(decision.reason) == "nothing to judge by: no text; no photo"


def test_a_confident_prediction_for_a_novel_listing_goes_to_review_with_the_reason() -> None:
    decision = decide(prediction(0.97), Thresholds(0.95, {"A": 0.8}), novel=True)
    assert decision.status is DecisionStatus.NEEDS_REVIEW
    assert decision.category == "A"
    assert str(decision.reason).startswith("97 % sure of those it knows; unlike the listings")
    unsure = decide(prediction(0.97), Thresholds(0.95, {"A": 0.99}), novel=True)
    assert str(unsure.reason).startswith("only 97 % sure; this category needs 99 %; unlike")
