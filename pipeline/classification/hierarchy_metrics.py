"""Metrics over the levels of a taxonomy: hierarchical F1, accuracy and coverage by level, depth of the answers.

Hierarchical precision, recall and F1 compare the sets of the predicted and of the true category with all categories
above them (Kiritchenko et al. 2006; Silla & Freitas 2011). Coverage at a precision is cross-validated: the thresholds
that are applied to a part of the listings are chosen on the other parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.category_tree import depth
from pipeline.classification.level_predictions import (
    Answers,
    LevelPredictions,
    choose_level_thresholds,
    choose_pooled_threshold,
    cut_names,
)
from pipeline.classification.metrics import PredictedListings, calibration_error
from pipeline.domain.category import SEPARATOR
from pipeline.domain.json_record import JsonObject
from pipeline.features.extractor import Mask

PRECISIONS = (0.95, 0.99)
PARTS = 5  # of the listings, where no folds are given


@dataclass(frozen=True, slots=True)
class CoverageAtPrecision:
    """The share of listings answered (``coverage``) and their measured ``precision``, None if none is answered.

    ``by_depth`` counts each answer by its level, as a share of the levels of all true paths; ``mean_depth`` is the
    mean level of the answers.
    """

    coverage: float
    precision: float | None
    by_depth: float
    mean_depth: float | None

    @classmethod
    def of(cls, answers: Answers, correct: Mask, paths: NDArray[np.str_]) -> CoverageAtPrecision:
        """The figures of answers (n,), of which ``correct`` are right."""
        answered = answers.categories != ""
        depths = np.where(answered, answers.depths, 0)
        true_depths = np.minimum.reduce([depths, _depths(paths)])
        return cls(
            coverage=float(answered.mean()),
            precision=float(correct[answered].mean()) if answered.any() else None,
            by_depth=float(true_depths.sum() / max(_depths(paths).sum(), 1)),
            mean_depth=float(depths[answered].mean()) if answered.any() else None,
        )

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {
            "coverage": self.coverage,
            "precision": self.precision,
            "by_depth": self.by_depth,
            "mean_depth": self.mean_depth,
        }


@dataclass(frozen=True, slots=True)
class FiguresAtLevel:
    """Figures at one ``level``: of all listings, where a path that ends above counts with its own category.

    ``n`` listings have a path that deep; ``answered`` is the share of all that are assigned a category at this level or
    below. ``coverage_at`` is by precision, of answers at this level alone; the rest of a category above is none.
    """

    level: int
    n: int
    categories: int
    accuracy: float
    calibration_error: float
    answered: float
    coverage_at: Mapping[float, CoverageAtPrecision]

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {
            "level": self.level,
            "n": self.n,
            "categories": self.categories,
            "accuracy": self.accuracy,
            "calibration_error": self.calibration_error,
            "answered": self.answered,
            "coverage_at": _by_precision(self.coverage_at),
        }


@dataclass(frozen=True, slots=True)
class HierarchyFigures:
    """Hierarchical ``f1`` of the most probable paths, figures by level, and those of the deepest sure answers.

    ``answers`` are the decisions by the thresholds of the model, ``coverage_at``, by precision, those by one threshold
    for each level.
    """

    f1: float
    precision: float
    recall: float
    levels: tuple[FiguresAtLevel, ...]
    answers: CoverageAtPrecision
    coverage_at: Mapping[float, CoverageAtPrecision]

    @classmethod
    def of(cls, predictions: PredictedListings, folds: NDArray[np.int64] | None = None) -> HierarchyFigures:
        """The figures of held-out predictions; thresholds are cross-validated over ``folds``, (n,)."""
        paths, levels = predictions.paths, predictions.levels
        folds = _parts(len(paths)) if folds is None else folds
        precision, recall, f1 = hierarchical_scores(levels.best.categories, paths)
        return cls(
            f1=f1,
            precision=precision,
            recall=recall,
            levels=tuple(_level_figures(predictions, level, folds) for level in levels.levels),
            answers=CoverageAtPrecision.of(predictions.answers, predictions.correct, paths),
            coverage_at={target: coverage_at_precision(levels, paths, folds, target) for target in PRECISIONS},
        )

    def as_json(self) -> JsonObject:
        """As in manifests and in the output of ``rayon evaluate --json``."""
        return {
            "f1": self.f1,
            "precision": self.precision,
            "recall": self.recall,
            "levels": [figures.as_json() for figures in self.levels],
            "answers": self.answers.as_json(),
            "coverage_at": _by_precision(self.coverage_at),
        }


def hierarchical_scores(predicted: NDArray[np.str_], paths: NDArray[np.str_]) -> tuple[float, float, float]:
    """Set-based precision, recall and F1 of predicted against true paths, (n,) each; '' predicts nothing."""
    shared = np.array([_shared_levels(str(a), str(b)) for a, b in zip(predicted, paths, strict=True)], np.int64)
    total_predicted, total_true = int(_depths(predicted).sum()), int(_depths(paths).sum())
    precision = float(shared.sum() / total_predicted) if total_predicted else 0.0
    recall = float(shared.sum() / total_true) if total_true else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def coverage_at_precision(
    predictions: LevelPredictions, truth: NDArray[np.str_], folds: NDArray[np.int64], target: float
) -> CoverageAtPrecision:
    """The coverage of the deepest answers at ``target`` precision, with one threshold for each level.

    ``truth`` (n,) are full paths. The thresholds of each of the ``folds`` (n,) are chosen on the others.
    """
    deep = len(predictions.levels) > 1
    compared = truth if deep else cut_names(truth, predictions.levels[0])
    categories = [predictions.names_at(level) for level in predictions.levels]
    answer = np.full(len(truth), "", dtype=predictions.names.dtype)
    confidence = np.zeros(len(truth))
    for fold in np.unique(folds):
        test = folds == fold
        train = ~test if not test.all() else test
        thresholds = choose_level_thresholds(
            predictions.subset(train), compared[train], target, categories, choose_pooled_threshold
        )
        found = predictions.subset(test).answers(thresholds)
        answer[test], confidence[test] = found.categories, found.confidence
    answers = Answers(answer, confidence)
    return CoverageAtPrecision.of(answers, answers.correct(compared, exact=not deep), truth)


def _level_figures(predictions: PredictedListings, level: int, folds: NDArray[np.int64]) -> FiguresAtLevel:
    at_level = predictions.levels.at(level)
    truth = cut_names(predictions.paths, level)
    right = at_level.categories == truth
    alone = predictions.levels.alone(level)
    return FiguresAtLevel(
        level=level,
        n=int((_depths(predictions.paths) >= level).sum()),
        categories=len(predictions.levels.names_at(level)),
        accuracy=float(right.mean()),
        calibration_error=calibration_error(at_level.confidence, right),
        answered=float((predictions.answers.depths >= level).mean()),
        coverage_at={target: coverage_at_precision(alone, predictions.paths, folds, target) for target in PRECISIONS},
    )


def _by_precision(figures: Mapping[float, CoverageAtPrecision]) -> JsonObject:
    return {f"{target:.2f}": coverage.as_json() for target, coverage in figures.items()}


def _parts(n_listings: int) -> NDArray[np.int64]:
    return np.asarray(np.random.default_rng(0).permutation(n_listings) % PARTS, np.int64)


def _depths(names: NDArray[np.str_]) -> NDArray[np.int64]:
    return np.array([depth(str(name)) for name in names], np.int64)


def _shared_levels(first: str, second: str) -> int:
    count = 0
    for left, right in zip(first.split(SEPARATOR), second.split(SEPARATOR), strict=False):
        if left != right or not left:
            break
        count += 1
    return count
