"""Hierarchical F1, and coverage at a precision with thresholds from other folds."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.classification.category_tree import CategoryTree
from pipeline.classification.hierarchy_metrics import coverage_at_precision, hierarchical_scores
from pipeline.classification.level_predictions import LevelPredictions


def test_hierarchical_scores_count_shared_levels() -> None:
    predicted = np.array(["A >> B >> C", "A >> D", "F", ""])
    truth = np.array(["A >> B >> X", "A >> D", "G >> H", "A"])
    precision, recall, f1 = hierarchical_scores(predicted, truth)
    assert precision == pytest.approx(4 / 6)
    assert recall == pytest.approx(4 / 8)
    assert f1 == pytest.approx(2 * (4 / 6) * 0.5 / (4 / 6 + 0.5))
    assert hierarchical_scores(np.array([""]), np.array(["A"])) == (0.0, 0.0, 0.0)


def test_coverage_is_at_the_precision_and_counts_depth() -> None:
    tree = CategoryTree(("A >> B", "A >> C", "F"), (1, 2))
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1.0, 1.0, 0.5], 4_000).astype(np.float32)
    draws = (probabilities.cumsum(axis=1) < rng.uniform(size=(4_000, 1))).sum(axis=1)
    truth = np.array(tree.classes)[np.minimum(draws, 2)]
    folds = np.arange(4_000) % 5
    predictions = LevelPredictions.of(tree, probabilities, np.ones(4_000, bool))
    deep = coverage_at_precision(predictions, truth, folds, 0.95)
    assert deep.precision == pytest.approx(0.95, abs=0.015)
    top = coverage_at_precision(predictions.alone(1), truth, folds, 0.95)
    bottom = coverage_at_precision(predictions.alone(2), truth, folds, 0.95)
    assert deep.by_depth > max(top.by_depth, bottom.by_depth)
    assert deep.coverage > bottom.coverage
    assert deep.mean_depth is not None
    assert 1 < deep.mean_depth < 2


def test_nothing_is_covered_where_the_precision_is_out_of_reach() -> None:
    tree = CategoryTree(("A", "B"), (1,))
    predictions = LevelPredictions.of(tree, np.tile(np.array([[0.9, 0.1]], np.float32), (50, 1)), np.ones(50, bool))
    found = coverage_at_precision(predictions, np.array(["B"] * 50), np.arange(50) % 5, 0.95)
    assert (found.coverage, found.precision, found.mean_depth) == (0.0, None, None)
