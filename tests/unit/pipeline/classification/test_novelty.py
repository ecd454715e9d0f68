"""Novelty: listings that resemble none of the training ones go to review, however sure the prediction is."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from infra.sample.generator import generate
from pipeline.classification import novelty
from pipeline.classification.novelty import MaxScores, NoveltyFloors, ScoreStatistics, choose_floors
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.training import TrainingOptions

UNKNOWN = "Kitchen >> Kettles"
NAN = float("nan")


def max_scores(text: list[float], image: list[float]) -> MaxScores:
    """NaN where a modality is missing."""
    texts, images = np.array(text, np.float32), np.array(image, np.float32)
    return MaxScores(np.nan_to_num(texts), np.nan_to_num(images), ~np.isnan(texts), ~np.isnan(images))


def test_the_largest_score_is_measured_in_standard_deviations() -> None:
    statistics = ScoreStatistics.of(np.array([[0.2, -1.0], [-1.0, 0.6], [-0.2, -0.4]], np.float32))
    assert statistics.mean == pytest.approx(0.2)
    found = statistics.standardised_max(np.array([[0.2, 0.1], [-1.0, -0.8]], np.float32))
    assert found == pytest.approx([0.0, -1.0 / np.std([0.2, 0.6, -0.2])], abs=1e-5)


def test_a_listing_with_text_and_photo_is_measured_by_both_and_one_with_neither_by_none() -> None:
    scores = max_scores([-3.0, -3.0, NAN, 1.0, NAN], [2.5, NAN, -3.0, -9.0, NAN])
    floors = NoveltyFloors({"text": -2.0, "image": -2.0, "both": -1.0})
    assert floors.below(scores).tolist() == [False, True, True, True, False]
    assert not NoveltyFloors().below(scores).any(), "a model of an earlier program has no floors"


def test_a_floor_costs_its_share_of_right_assignments_and_needs_enough_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(novelty, "LOST_SHARE", 0.1)
    count = novelty.MIN_LISTINGS_FOR_FLOOR * 2
    ascending = np.arange(count, dtype=np.float32)
    scores = MaxScores(ascending, np.zeros(count, np.float32), np.ones(count, bool), np.zeros(count, bool))
    right = {"text": np.arange(count) % 2 == 0, "image": np.ones(count, bool), "both": np.ones(count, bool)}
    floors = choose_floors(scores, right)
    assert set(floors.by_evidence) == {"text"}
    assert (floors.below(scores) & right["text"]).sum() == novelty.MIN_LISTINGS_FOR_FLOOR // 10
    right["text"][0] = False
    assert choose_floors(scores, right).by_evidence == {}, "one fewer than are needed"


class NoveltyCase(NamedTuple):
    """A model of texts trained without one category, fresh listings of its known categories and of the unknown one."""

    model: TrainedModel
    known: list[Evidence]
    unknown: list[Evidence]


@pytest.fixture(scope="module")
def case() -> NoveltyCase:
    examples = [
        Example(e.external_id, Evidence(e.name, e.description, e.attributes), e.category) for e in generate(500)
    ]
    known = [each for each in examples if each.category != UNKNOWN]
    model = train(known[:-100], TrainingOptions(level=2, image_extractors=())).model
    unknown = [each.evidence for each in examples if each.category == UNKNOWN]
    return NoveltyCase(model, [each.evidence for each in known[-100:]], unknown)


def assigned(model: TrainedModel, evidences: list[Evidence]) -> float:
    return float(np.mean([each.decision.status is DecisionStatus.ASSIGNED for each in model.answer(evidences)]))


def test_products_of_an_unknown_category_are_held_back_more_often_than_those_of_a_known_one(case: NoveltyCase) -> None:
    without_floors = TrainedModel.from_files(case.model.files())
    without_floors.thresholds = replace(without_floors.thresholds, floors=NoveltyFloors())
    assert assigned(without_floors, case.unknown) > 0.3, "probabilities alone do not notice them"
    assert assigned(case.model, case.unknown) < 0.9 * assigned(without_floors, case.unknown)
    assert assigned(case.model, case.known) > assigned(without_floors, case.known) - 0.08


def test_a_saved_model_finds_the_same_listings_novel(case: NoveltyCase) -> None:
    again = TrainedModel.from_files(case.model.files())
    assert again.thresholds == case.model.thresholds
    assert again.thresholds.floors.by_evidence
    evidences = case.known + case.unknown
    for one, other in zip(case.model.answer(evidences), again.answer(evidences), strict=True):
        assert one.decision == other.decision
