"""Strangers: listings unlike all that a model learned from go to a person, however sure the answer is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infra.sample.generator import generate
from pipeline.classification import novelty
from pipeline.classification.decision_policy import decide
from pipeline.classification.evaluation import evaluate
from pipeline.classification.novelty import Floors, MaxScores, ScoreStatistics, choose_floors
from pipeline.classification.thresholds import Thresholds
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.prediction import DecisionStatus, Modality, Prediction, Ranked
from tests.unit.pipeline.classification.catalogues import catalogue

FOREIGN = "Kitchen >> Kettles"


def sides(text, image) -> MaxScores:
    """NaN where a side is missing."""
    text, image = np.array(text, np.float32), np.array(image, np.float32)
    return MaxScores(np.nan_to_num(text), np.nan_to_num(image), ~np.isnan(text), ~np.isnan(image))


def test_familiarity_is_the_largest_score_in_standard_deviations():
    scores = np.array([[0.2, -1.0], [-1.0, 0.6], [-0.2, -0.4]], np.float32)
    usual = ScoreStatistics.of(scores)
    assert usual.mean == pytest.approx(0.2)
    found = usual.familiarity(np.array([[0.2, 0.1], [-1.0, -0.8]], np.float32))
    assert found == pytest.approx([0.0, -1.0 / np.std([0.2, 0.6, -0.2])], abs=1e-5)


def test_who_has_both_sides_is_judged_by_both_and_who_has_none_by_nothing():
    nan = float("nan")
    seen = sides([-3.0, -3.0, nan, 1.0, nan], [2.5, nan, -3.0, -9.0, nan])
    floors = Floors({"text": -2.0, "image": -2.0, "both": -1.0})
    assert floors.below(seen).tolist() == [False, True, True, True, False]
    assert not Floors().below(seen).any(), "a model of an earlier program knows no strangers"


def test_a_floor_costs_its_share_of_what_would_be_assigned_and_needs_enough_of_it(monkeypatch):
    monkeypatch.setattr(novelty, "LOST_SHARE", 0.1)
    count = novelty.FEWEST_FOR_A_FLOOR * 2
    likeness = np.arange(count, dtype=np.float32)
    seen = MaxScores(likeness, np.zeros(count, np.float32), np.ones(count, bool), np.zeros(count, bool))
    right = {"text": np.arange(count) % 2 == 0, "image": np.ones(count, bool), "both": np.ones(count, bool)}
    floors = choose_floors(seen, right)
    assert set(floors.by_evidence) == {"text"}
    assert (floors.below(seen) & right["text"]).sum() == novelty.FEWEST_FOR_A_FLOOR // 10
    right["text"][0] = False
    assert choose_floors(seen, right).by_evidence == {}, "one fewer than are needed"


def test_a_sure_stranger_goes_to_a_person_who_is_told_why():
    said = Prediction(Modality.FUSED, (Ranked("A", 0.97), Ranked("B", 0.03)))
    decision = decide(said, Thresholds(0.95, {"A": 0.8}), novel=True)
    assert decision.status is DecisionStatus.NEEDS_REVIEW
    assert decision.category == "A"
    assert str(decision.reason).startswith("97 % sure of those it knows; unlike the listings")
    unsure = decide(said, Thresholds(0.95, {"A": 0.99}), novel=True)
    assert str(unsure.reason).startswith("only 97 % sure; this category needs 99 %; unlike")


@pytest.fixture(scope="module")
def shop() -> tuple[TrainedModel, list[Evidence], list[Evidence]]:
    """A model of texts that one category was kept from, fresh listings of those it knows, and listings of that one."""
    examples = [
        Example(e.external_id, Evidence(e.name, e.description, e.attributes), e.category) for e in generate(500)
    ]
    known = [each for each in examples if each.category != FOREIGN]
    model, _ = train(known[:-100], level=2, image_extractors=())
    fresh = [each.evidence for each in known[-100:]]
    return model, fresh, [each.evidence for each in examples if each.category == FOREIGN]


def assigned(model: TrainedModel, evidences: list[Evidence]) -> float:
    return float(np.mean([each.decision.status is DecisionStatus.ASSIGNED for each in model.answer(evidences)]))


def test_products_of_an_unknown_category_are_held_back_more_often_than_those_of_a_known_one(shop):
    model, fresh, foreign = shop
    heedless = TrainedModel.from_files(model.files())
    heedless.thresholds = replace(heedless.thresholds, floors=Floors())
    assert assigned(heedless, foreign) > 0.5, "probabilities alone do not tell them"
    assert assigned(model, foreign) < 0.8 * assigned(heedless, foreign)
    assert assigned(model, fresh) > assigned(heedless, fresh) - 0.08


def test_a_saved_model_knows_the_same_strangers(shop):
    model, fresh, foreign = shop
    again = TrainedModel.from_files(model.files())
    assert again.thresholds == model.thresholds
    assert again.thresholds.floors.by_evidence
    for one, other in zip(model.answer(fresh + foreign), again.answer(fresh + foreign), strict=True):
        assert one.decision == other.decision


def test_categories_are_kept_from_models_one_after_the_other():
    told: list[float] = []
    found = evaluate(
        catalogue(10, photos=False),
        folds=2,
        level=2,
        image_extractors=(),
        strangers=2,
        progress=lambda share, note: told.append(share),
    )
    rows = found["strangers"]["categories"]
    assert len({row["category"] for row in rows}) == 2
    assert found["strangers"]["n"] == sum(row["n"] for row in rows) == 20
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_two_categories_are_too_few_to_keep_one_away():
    with pytest.raises(InvalidInput, match="at least 3"):
        evaluate(catalogue(10, photos=False), folds=2, level=1, image_extractors=(), strangers=1)
