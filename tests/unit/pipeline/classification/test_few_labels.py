"""Training on a label or two of each category: the names of categories help, and nothing is assigned yet."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from pipeline.classification.category_names import entries_by_category, name_vectors, shared_categories
from pipeline.classification.targets import recur_in_other_folds
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.decision import DecisionStatus
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.taxonomy import CategoryEntry
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import TextExtractor, build_extractor
from pipeline.study.learning_curve import learning_curve
from pipeline.study.supervised_scores import SupervisedSetup

TEXT_ONLY = TrainingOptions(image_extractors=())
NAMES = {
    "Watches": ["Steel chronograph", "Analog wrist watch", "Quartz watch for men", "Digital sports watch"],
    "Curtains": ["Blackout panel with eyelets", "Sheer voile drape", "Window curtain, blue", "Lined door curtain"],
    "Laptops": ["Notebook 15 inch, 8 GB", "Ultrabook with SSD", "Gaming notebook", "Slim laptop computer"],
}
installed = pytest.mark.skipif(bundled_weights("use") is None, reason="the installed encoder is missing")


def examples(n: int) -> list[Example]:
    return [
        Example(f"{category} {index}", Evidence(name), category)
        for category, names in NAMES.items()
        for index, name in enumerate(names[:n])
    ]


@installed
def test_one_label_of_each_category_trains_a_model_that_assigns_nothing() -> None:
    result = train(examples(1), TEXT_ONLY)
    assert set(result.model.categories) == set(NAMES)
    assert result.report.listings == 3
    restored = TrainedModel.from_files(result.model.files())
    asked = [Evidence("Men's chronograph watch"), Evidence("Rideau occultant"), Evidence("Portable gaming computer")]
    for model in (result.model, restored):
        answers = model.answer(asked)
        assert [answer.decision.category for answer in answers] == ["Watches", "Curtains", "Laptops"]
        assert {answer.decision.status for answer in answers} == {DecisionStatus.NEEDS_REVIEW}


@installed
def test_synonyms_of_a_category_are_known_before_an_example_says_so() -> None:
    labelled = [Example(str(n), Evidence(name), name) for n, name in enumerate(["Sort 1", "Sort 2", "Sort 3"])]
    entries = [
        CategoryEntry("Sort 1", synonyms=("wine", "champagne")),
        CategoryEntry("Sort 2", synonyms=("cheese", "butter")),
        CategoryEntry("Sort 3", description="bread and cakes"),
    ]
    asked = [Evidence("Sparkling white wine"), Evidence("Camembert cheese"), Evidence("A loaf of bread")]
    informed = train(labelled, TEXT_ONLY, entries=entries).model.answer(asked)
    assert [answer.decision.category for answer in informed] == ["Sort 1", "Sort 2", "Sort 3"]


def test_only_categories_that_recur_in_other_folds_have_meaningful_held_out_scores() -> None:
    labels, folds = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 0, 1])
    assert recur_in_other_folds(labels, folds).tolist() == [True, True, False, False, False]
    assert recur_in_other_folds(labels[:0], folds[:0]).tolist() == []


def test_the_last_part_of_a_path_that_one_listing_has_is_no_category() -> None:
    paths = ["Home >> Mugs >> Blue mug", "Home >> Mugs >> Red mug", "Home >> Pans", "Garden >> Pots", "Garden >> Pots"]
    assert shared_categories(paths) == ["Garden", "Garden >> Pots", "Home", "Home >> Mugs"]


@installed
def test_a_category_is_known_by_its_own_texts_and_by_those_below_it() -> None:
    entries = [CategoryEntry("Home >> Curtains"), CategoryEntry("Home"), CategoryEntry("Toys >> Puzzles")]
    by_category = entries_by_category(("Home", "Toys"), entries)
    assert [[entry.path for entry in own] for own in by_category] == [
        ["Home", "Home >> Curtains"],
        ["Toys", "Toys >> Puzzles"],
    ]
    encoder = cast(TextExtractor, build_extractor("use")).fit([])
    vectors = name_vectors(encoder, by_category)
    curtain, puzzle = encoder.transform([Evidence("Curtain"), Evidence("Jigsaw puzzle")])
    assert (vectors @ curtain).argmax() == 0
    assert (vectors @ puzzle).argmax() == 1


@installed
def test_a_learning_curve_begins_without_a_label() -> None:
    labelled = [
        Example(f"{category} {index}", Evidence(f"{name} {index}"), category)
        for category, names in NAMES.items()
        for index, name in enumerate(names * 3)
    ]
    setup = SupervisedSetup(1, "tfidf", repeats=2, text_encoder="use")
    points = learning_curve(labelled, setup, [0, 1, 3])
    assert [point.per_category for point in points] == [0, 1, 3]
    assert points[0].accuracy.mean > 0.6
    without = learning_curve(labelled, SupervisedSetup(1, "tfidf", repeats=2), [0, 1, 3])
    assert [point.per_category for point in without] == [1, 3]
