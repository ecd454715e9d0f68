"""Predictions by level, the deepest sure answer, and thresholds that keep the precision of all answers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.classification.category_tree import CategoryTree
from pipeline.classification.decision_policy import UNREACHABLE_THRESHOLD, Thresholds
from pipeline.classification.level_predictions import (
    LevelPredictions,
    choose_level_thresholds,
    choose_pooled_threshold,
)

TREE = CategoryTree(("A", "A >> B", "A >> C", "F"), (1, 2))
SURE = Thresholds(0.95, {"A": 0.8, "A >> B": 0.9, "A >> C": 0.9, "F": 0.8})


def predictions(*rows: list[float]) -> LevelPredictions:
    return LevelPredictions.of(TREE, np.array(rows, np.float32), np.ones(len(rows), bool))


def test_each_level_has_its_most_probable_category_and_their_sums() -> None:
    found = predictions([0.05, 0.5, 0.4, 0.05], [0.6, 0.1, 0.1, 0.2])
    assert found.at(1).categories.tolist() == ["A", "A"]
    np.testing.assert_allclose(found.at(1).confidence, [0.95, 0.8], atol=1e-6)
    assert found.at(2).categories.tolist() == ["A >> B", "A"]
    assert found.at(9).categories.tolist() == ["A >> B", "A"]
    assert found.alone(2).at(2).categories.tolist() == ["A >> B", ""]
    assert found.is_answer().tolist() == [[True, True], [True, False]], "the rest of A is no answer at level 2"


def test_the_answer_is_the_deepest_category_that_reaches_its_threshold() -> None:
    rows = [0.0, 0.95, 0.0, 0.05], [0.05, 0.5, 0.4, 0.05], [0.9, 0.05, 0.0, 0.05], [0.2, 0.2, 0.2, 0.4]
    answers = predictions(*rows).answers(SURE)
    assert answers.categories.tolist() == ["A >> B", "A", "A", ""]
    np.testing.assert_allclose(answers.confidence, [0.95, 0.95, 0.95, 0.0], atol=1e-6)
    assert answers.depths.tolist() == [2, 1, 1, 0]
    assert answers.correct(["A >> B >> x", "A >> C", "A", "F"], exact=False).tolist() == [True, True, True, False]
    assert answers.correct(["A", "F", "F", ""], exact=False).tolist() == [False, False, False, False]


def test_without_evidence_there_is_no_prediction() -> None:
    found = LevelPredictions.of(TREE, np.zeros((1, 4), np.float32), np.zeros(1, bool))
    assert found.at(2).categories.tolist() == [""]
    assert found.answers(Thresholds(0.95, dict.fromkeys(SURE.by_category, 0.0))).categories.tolist() == [""]


def test_a_category_left_out_is_not_predicted_but_counts_for_those_above() -> None:
    rows = np.array([[0.0, 0.7, 0.2, 0.1]], np.float32)
    found = LevelPredictions.of(TREE, rows, np.ones(1, bool), lambda name: name == "A >> B")
    assert found.at(1).categories.tolist() == ["A"]
    assert found.at(2).categories.tolist() == ["A >> C"]
    np.testing.assert_allclose(found.at(1).confidence, [0.9], atol=1e-6)


def test_predictions_of_models_with_other_levels_are_joined() -> None:
    flat = LevelPredictions.of(CategoryTree(("A", "Z"), (1,)), np.array([[0.2, 0.8]], np.float32), np.ones(1, bool))
    joined = LevelPredictions.concatenate([predictions([0.0, 0.9, 0.0, 0.1]), flat])
    assert joined.at(1).categories.tolist() == ["A", "Z"]
    assert joined.at(2).categories.tolist() == ["A >> B", "Z"]


def drawn(seed: int, n: int) -> tuple[LevelPredictions, NDArray[np.str_]]:
    """Calibrated probabilities of four leaves under two categories, and true leaves drawn by them."""
    rng = np.random.default_rng(seed)
    tree = CategoryTree(("A >> B", "A >> C", "F >> G", "F >> H"), (1, 2))
    logits = rng.normal(size=(n, 4)) * 3
    top = np.repeat(rng.normal(size=(n, 2)) * 4, 2, axis=1)
    exponentials = np.exp(logits + top)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    draws = (probabilities.cumsum(axis=1) < rng.uniform(size=(n, 1))).sum(axis=1)
    truth = np.array(tree.classes)[np.minimum(draws, 3)]
    return LevelPredictions.of(tree, probabilities.astype(np.float32), np.ones(n, bool)), truth


CATEGORIES = [["A", "F"], ["A >> B", "A >> C", "F >> G", "F >> H"]]


def test_the_deepest_sure_answers_keep_the_precision_on_fresh_listings() -> None:
    chosen = choose_level_thresholds(*drawn(0, 4_000), 0.95, CATEGORIES)
    fresh, truth = drawn(1, 20_000)
    answers = fresh.answers(chosen)
    answered = answers.categories != ""
    right = answers.correct(truth, exact=False)
    assert right[answered].mean() >= 0.945
    depths = answers.depths
    assert (depths == 2).mean() > 0.2
    assert (depths == 1).mean() > 0.2
    assert right[depths == 2].mean() >= 0.94


def test_a_threshold_that_ignored_the_deeper_answers_would_miss_the_precision() -> None:
    """Where deep answers are all wrong, the categories above must not be assigned on the strength of being right."""
    tree = CategoryTree(("A >> B", "A >> C"), (1, 2))
    found = LevelPredictions.of(tree, np.tile(np.array([[0.99, 0.01]], np.float32), (400, 1)), np.ones(400, bool))
    truth = np.array(["A >> C"] * 400)
    chosen = choose_level_thresholds(found, truth, 0.95, [["A"], ["A >> B", "A >> C"]])
    assert chosen.of("A >> B") == UNREACHABLE_THRESHOLD
    assert chosen.of("A") < UNREACHABLE_THRESHOLD, "at the top they are all right"
    assert found.answers(chosen).categories.tolist() == ["A"] * 400


def test_one_threshold_for_all_is_the_lowest_with_the_precision() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.7, 0.6])
    right = np.array([True, True, True, False, True])
    labels = np.zeros(5, np.int64)
    assert choose_pooled_threshold(["a", "b"], labels, confidence, right, 1.0).by_category == {"a": 0.8, "b": 0.8}
    assert choose_pooled_threshold(["a"], labels, confidence, right, 0.8).of("a") == pytest.approx(0.6)
    assert choose_pooled_threshold(["a"], labels, confidence, ~right, 0.9).of("a") == UNREACHABLE_THRESHOLD
