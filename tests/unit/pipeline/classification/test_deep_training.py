"""A model of whole paths: trained, saved, asked; and what it makes of categories with few listings."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from pipeline.classification.evaluation import evaluate
from pipeline.classification.targets import choose_main_level, select_labelled
from pipeline.classification.trained_model import BUNDLE_FORMAT, SINGLE_LEVEL_FORMAT, TrainedModel
from pipeline.classification.training import TrainingResult, train
from pipeline.domain.decision import DecisionStatus, open_level
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import pack_state, unpack_state

WORDS = {
    "Home >> Curtains >> Sheer": ["curtain", "drape", "window", "voile", "thin", "light"],
    "Home >> Curtains >> Blackout": ["curtain", "drape", "window", "dark", "heavy", "lined"],
    "Home >> Lamps >> Desk": ["lamp", "bulb", "shade", "office", "arm", "reading"],
    "Home >> Lamps >> Ceiling": ["lamp", "bulb", "shade", "pendant", "hanging", "round"],
    "Wear >> Watches >> Wrist": ["watch", "dial", "steel", "strap", "wrist", "battery"],
    "Wear >> Watches >> Pocket": ["watch", "dial", "steel", "chain", "pocket", "winding"],
}
RARE = Example("rare", Evidence("oriental lantern lamp bulb"), "Home >> Lamps >> Lanterns")
OPTIONS = TrainingOptions(image_extractors=())


def catalogue(each: int = 40, seed: int = 0) -> list[Example]:
    rng = random.Random(seed)
    return [
        Example(
            f"{category} {number}", Evidence(" ".join([*rng.sample(words, rng.randint(2, 4)), f"nr{number}"])), category
        )
        for category, words in WORDS.items()
        for number in range(each)
    ]


@pytest.fixture(scope="module")
def trained() -> TrainingResult:
    return train([*catalogue(), RARE], OPTIONS)


def test_it_is_trained_on_whole_paths(trained: TrainingResult) -> None:
    model, report = trained.model, trained.report
    assert model.categories == ("Home", "Wear")
    assert model.tree.levels == (1, 2, 3)
    assert set(model.tree.classes) == {*WORDS, "Home >> Lamps"}
    assert report.hierarchy is not None
    accuracies = [row.accuracy for row in report.hierarchy.levels]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[0] > 0.97
    assert accuracies[2] > 0.7
    assert report.hierarchy.f1 > 0.85
    assert {"Home", "Home >> Lamps", "Home >> Lamps >> Desk"} <= set(report.thresholds.by_category)
    stored = report.as_json()
    assert [row["level"] for row in stored["hierarchy"]["levels"]] == [1, 2, 3]  # type: ignore[index,call-overload,union-attr]


def test_answers_are_as_deep_as_they_are_sure(trained: TrainingResult) -> None:
    evidences = [Evidence("curtain drape window"), Evidence("watch dial steel chain pocket winding")]
    open_answer, sure_answer = (answer.decision for answer in trained.model.answer(evidences))
    assert open_answer.status is DecisionStatus.ASSIGNED
    assert open_answer.category == "Home >> Curtains"
    assert open_level(open_answer.reason.as_json()) == 3
    assert sure_answer.category == "Wear >> Watches >> Pocket"
    assert open_level(sure_answer.reason.as_json()) is None


def test_a_saved_model_answers_the_same(trained: TrainingResult) -> None:
    files = trained.model.files()
    again = TrainedModel.from_files(files)
    evidences = [example.evidence for example in catalogue(3, seed=5)]
    for one, other in zip(trained.model.answer(evidences), again.answer(evidences), strict=True):
        assert (one.text, one.fused, one.decision) == (other.text, other.fused, other.decision)
    assert again.files() == files
    assert unpack_state("model", files)["format"] == BUNDLE_FORMAT


def test_a_model_of_one_level_is_saved_as_before_and_older_ones_load() -> None:
    model = train(catalogue(), TrainingOptions(level=2, image_extractors=())).model
    files = model.files()
    record = unpack_state("model", files)
    assert record["format"] == SINGLE_LEVEL_FORMAT
    assert not {"classes", "levels", "small", "lower"} & set(record)
    older = TrainedModel.from_files(files | pack_state("model", {**record, "format": 2}))
    assert older.tree.levels == (2,)
    assert older.answer([Evidence("watch dial")])[0].decision.category == "Wear >> Watches"


def test_a_category_with_few_listings_is_suggested(trained: TrainingResult) -> None:
    (answer,) = trained.model.answer([RARE.evidence])
    assert answer.fused is not None
    assert RARE.category in [ranked.category for ranked in answer.fused.ranked]
    assert answer.decision.category != RARE.category


def test_a_retired_category_never_comes_back(trained: TrainingResult) -> None:
    evidence = Evidence("watch dial steel chain pocket winding")
    (answer,) = trained.model.answer([evidence], frozenset({"Wear >> Watches >> Pocket"}))
    assert answer.fused is not None
    assert "Wear >> Watches >> Pocket" not in [ranked.category for ranked in answer.fused.ranked]
    assert answer.decision.category == "Wear >> Watches"
    (gone,) = trained.model.answer([evidence], frozenset({"Wear"}))
    assert gone.decision.category is not None
    assert gone.decision.category.startswith("Home")
    assert gone.decision.status is DecisionStatus.NEEDS_REVIEW
    (again,) = trained.model.answer([evidence])
    assert again.decision.category == "Wear >> Watches >> Pocket", "nothing of it stays in the model"


def test_answers_above_the_least_useful_level_go_to_review() -> None:
    model = train(catalogue(), TrainingOptions(image_extractors=(), min_level=3)).model
    (answer,) = TrainedModel.from_files(model.files()).answer([Evidence("curtain drape window")])
    assert answer.decision.status is DecisionStatus.NEEDS_REVIEW
    assert "an answer needs level 3" in str(answer.decision.reason)


def test_the_figures_of_the_main_level_are_those_of_a_model_of_that_level() -> None:
    deep = evaluate(catalogue(12), OPTIONS, folds=3)
    flat = evaluate(catalogue(12), TrainingOptions(level=1, image_extractors=()), folds=3)
    assert deep.hierarchy.levels[0].accuracy == flat.hierarchy.levels[0].accuracy
    assert deep.hierarchy.coverage_at[0.95].by_depth > flat.hierarchy.coverage_at[0.95].by_depth


def test_the_main_level_is_the_highest_with_two_categories() -> None:
    assert choose_main_level(["A >> B", "A >> C"] * 3) == 2
    assert choose_main_level(["A >> B", "C"] * 3) == 1
    assert choose_main_level(["A >> B"] * 3) == 1


def test_a_top_category_of_one_listing_is_learned() -> None:
    labelled = select_labelled([*catalogue(2), Example("x", Evidence("drill"), "Garden >> Drills")], None)
    assert len(labelled.examples) == len(catalogue(2)) + 1
    assert "Garden" in labelled.categories
    assert np.unique(labelled.labels).tolist() == [0, 1, 2]


def test_one_class_for_each_category_keeps_its_column_whatever_the_order_of_the_names() -> None:
    names = {"Home >> Curtains": ["voile", "drape", "window"], "Home & Kitchen >> Pans": ["steel", "frying", "lid"]}
    examples = [
        Example(f"{path} {number}", Evidence(f"{words[number % 3]} {words[(number + 1) % 3]}"), path)
        for path, words in names.items()
        for number in range(20)
    ]
    result = train(examples, OPTIONS)
    assert result.model.categories == ("Home", "Home & Kitchen")
    pan, drape = result.model.answer([Evidence("frying steel lid"), Evidence("drape window")])
    assert pan.fused is not None
    assert drape.fused is not None
    assert pan.fused.best.category.startswith("Home & Kitchen")
    assert drape.fused.best.category.startswith("Home >> Curtains")
    figures: Any = result.report.as_json()["text"]
    assert figures["accuracy"] > 0.9
