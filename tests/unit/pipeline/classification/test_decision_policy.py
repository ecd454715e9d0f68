"""Thresholds for a precision target, and decisions by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.classification.decision_policy import (
    LOWEST_THRESHOLD,
    UNREACHABLE_THRESHOLD,
    PathDown,
    Thresholds,
    choose_thresholds,
    decide,
    wilson_lower_bound,
)
from pipeline.domain.decision import DecisionStatus, level_of, open_level
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


PATH = PathDown((Ranked("A", 0.97), Ranked("A >> B", 0.9), Ranked("A >> B >> C", 0.6)))
LEVELS = Thresholds(0.95, {"A": 0.9, "A >> B": 0.85, "A >> B >> C": 0.8})


def test_the_deepest_sure_category_is_the_answer_and_the_reason_says_what_is_left_open() -> None:
    decision = decide(prediction(0.6), LEVELS, path=PATH)
    assert (decision.status, decision.category, decision.confidence) == (DecisionStatus.ASSIGNED, "A >> B", 0.9)
    assert str(decision.reason) == (
        "90 % sure; this category needs 85 %; level 3 is left open: only 60 % sure of A >> B >> C"
    )
    assert (level_of(decision.category), open_level(decision.reason.as_json())) == (2, 3)


def test_an_answer_above_the_least_useful_level_goes_to_review() -> None:
    strict = replace(LEVELS, by_category={**LEVELS.by_category, "A >> B": 0.95})
    decision = decide(prediction(0.6), strict, path=PATH, min_level=2)
    assert decision.status is DecisionStatus.NEEDS_REVIEW
    assert (decision.category, decision.confidence) == ("A >> B >> C", 0.6), "the likeliest is suggested"
    assert str(decision.reason) == "97 % sure of A and of nothing below it; an answer needs level 2"
    assert decide(prediction(0.6), LEVELS, path=PATH, min_level=2).status is DecisionStatus.ASSIGNED


def test_what_is_sure_of_nothing_is_suggested_as_deep_as_is_likely() -> None:
    path = PathDown((Ranked("A", 0.8), Ranked("A >> B", 0.55), Ranked("A >> B >> C", 0.2)))
    decision = decide(prediction(0.2), LEVELS, path=path)
    assert (decision.status, decision.category) == (DecisionStatus.NEEDS_REVIEW, "A >> B")
    assert str(decision.reason) == "only 55 % sure; this category needs 85 %"
    assert open_level(decision.reason.as_json()) is None


def test_categories_below_that_are_unlikely_are_left_open() -> None:
    decision = decide(prediction(0.6), LEVELS, path=PathDown((Ranked("A", 0.97),), goes_on=True))
    assert str(decision.reason).endswith("level 2 is left open: no category there is likely enough")
    assert open_level(decision.reason.as_json()) == 2
    complete = decide(prediction(0.6), LEVELS, path=PathDown((Ranked("A", 0.97),)))
    assert open_level(complete.reason.as_json()) is None


def test_a_novel_listing_is_not_assigned_at_any_level() -> None:
    decision = decide(prediction(0.6), LEVELS, path=PATH, novel=True)
    assert (decision.status, decision.category) == (DecisionStatus.NEEDS_REVIEW, "A >> B")
    assert "unlike the listings" in str(decision.reason)
