"""Thresholds for a precision target, and decisions by them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.classification.decision_policy import (
    LOWEST_THRESHOLD,
    UNREACHABLE_THRESHOLD,
    Thresholds,
    choose_thresholds,
    decide,
    wilson_lower_bound,
)
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.prediction import Modality, Prediction, Ranked
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

TARGET = 0.95


def test_a_threshold_gives_the_wanted_precision_on_fresh_listings() -> None:
    rng = np.random.default_rng(0)

    def drawn(count: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
        confidence = rng.uniform(0.4, 1.0, count)
        return rng.integers(0, 2, count), confidence, rng.uniform(size=count) < confidence

    chosen = choose_thresholds(["a", "b"], *drawn(3000), TARGET)
    predicted, confidence, right = drawn(20_000)
    for index, name in enumerate(["a", "b"]):
        accepted = (predicted == index) & (confidence >= chosen.of(name))
        assert accepted.mean() > 0.03
        assert right[accepted].mean() >= 0.94


def test_a_hopeless_category_is_never_assigned_nor_an_unknown_one() -> None:
    right = np.repeat([True, False], 200)
    chosen = choose_thresholds(["good", "bad"], np.repeat([0, 1], 200), np.full(400, 0.9), right, TARGET)
    assert chosen.of("bad") == UNREACHABLE_THRESHOLD
    assert chosen.of("unheard of") == UNREACHABLE_THRESHOLD


def test_a_handful_of_listings_proves_nothing() -> None:
    chosen = choose_thresholds(["a"], np.zeros(6, int), np.linspace(0.5, 1, 6), np.ones(6, bool), TARGET)
    assert chosen.of("a") == UNREACHABLE_THRESHOLD


def test_the_lower_bound_is_wilsons() -> None:
    np.testing.assert_allclose(
        wilson_lower_bound(np.array([0.0, 90.0]), np.array([0.0, 100.0])), [0.0, 0.8547], atol=1e-3
    )


def test_no_threshold_is_below_the_lowest_however_well_the_held_out_listings_went() -> None:
    confidence = np.linspace(0.05, 1, 500)
    chosen = choose_thresholds(["a"], np.zeros(500, int), confidence, np.ones(500, bool), TARGET)
    assert chosen.of("a") == LOWEST_THRESHOLD


def prediction(probability: float) -> Prediction:
    return Prediction(Modality.FUSED, (Ranked("A", probability), Ranked("B", 1 - probability)))


@pytest.mark.parametrize(
    ("probability", "threshold", "status", "reason"),
    [
        (0.9, 0.8, DecisionStatus.ASSIGNED, "90 % sure; this category needs 80 %"),
        (0.8, 0.8, DecisionStatus.ASSIGNED, "80 % sure"),
        (0.7, 0.8, DecisionStatus.NEEDS_REVIEW, "only 70 % sure; this category needs 80 %"),
        (0.99, UNREACHABLE_THRESHOLD, DecisionStatus.NEEDS_REVIEW, "not reliable enough"),
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
