"""Metrics of a model on listings it was not trained on, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.category_tree import CategoryTree
from pipeline.classification.decision_policy import Thresholds
from pipeline.classification.level_predictions import Answers, LevelPredictions, cut_names
from pipeline.classification.trained_model import ScoredListings
from pipeline.domain.json_record import JsonObject
from pipeline.domain.prediction import Modality
from pipeline.features.extractor import Mask

CALIBRATION_BINS = 15
BOOTSTRAP_SAMPLES = 5_000
_EVIDENCE_NAMES = {Modality.TEXT: "text", Modality.IMAGE: "photo", Modality.FUSED: "evidence"}


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % bootstrap interval, from ``low`` to ``high``."""

    mean: float
    low: float
    high: float

    def as_json(self) -> JsonObject:
        """``mean``, ``low``, ``high``."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def accuracy_interval(correct: Mask, seed: int = 0) -> Interval:
    """The accuracy of predictions marked as correct or not, shape (n,) with n > 0."""
    return accuracy_difference(correct, np.zeros(len(correct), bool), seed)


def accuracy_difference(first_correct: Mask, second_correct: Mask, seed: int = 0) -> Interval:
    """The first accuracy minus the second on the same listings, (n,), by the paired bootstrap (Efron 1979).

    A listing counts -1, 0 or 1; drawing listings with replacement means drawing the numbers of these three from a
    multinomial distribution.
    """
    n_listings = len(first_correct)
    n_gained, n_lost = int((first_correct & ~second_correct).sum()), int((second_correct & ~first_correct).sum())
    shares = [n_gained / n_listings, n_lost / n_listings, max(0.0, 1 - n_gained / n_listings - n_lost / n_listings)]
    samples = np.random.default_rng(seed).multinomial(n_listings, shares, BOOTSTRAP_SAMPLES)
    low, high = np.percentile((samples[:, 0] - samples[:, 1]) / n_listings, [2.5, 97.5])
    return Interval(mean=(n_gained - n_lost) / n_listings, low=float(low), high=float(high))


@dataclass(frozen=True, slots=True)
class PredictedListings:
    """Predictions for n listings, in arrays (n,): category '' and confidence 0 where there is no evidence.

    ``truth`` and, by modality, ``predicted``, ``confidence`` and ``usable`` are of one level. ``paths`` are the true
    paths, ``levels`` the fused predictions at all levels, ``answers`` the assigned categories, and ``correct`` marks
    the answers that are right. ``novel`` listings resemble no training listing.
    """

    truth: NDArray[np.str_]
    predicted: Mapping[Modality, NDArray[np.str_]]
    confidence: Mapping[Modality, NDArray[np.float64]]
    usable: Mapping[Modality, Mask]
    paths: NDArray[np.str_]
    levels: LevelPredictions
    answers: Answers
    correct: Mask
    novel: Mask

    @property
    def assigned(self) -> Mask:
        """The listings that are assigned a category, (n,)."""
        return np.asarray(self.answers.categories != "", bool)

    def reorder(self, order: NDArray[np.int64]) -> PredictedListings:
        """The listings with these indices, in this order."""
        answers = self.answers
        return PredictedListings(
            self.truth[order],
            {modality: rows[order] for modality, rows in self.predicted.items()},
            {modality: rows[order] for modality, rows in self.confidence.items()},
            {modality: rows[order] for modality, rows in self.usable.items()},
            self.paths[order],
            self.levels.subset(order),
            Answers(answers.categories[order], answers.confidence[order]),
            self.correct[order],
            self.novel[order],
        )


def predict_categories(
    paths: Sequence[str] | NDArray[np.str_],
    level: int,
    tree: CategoryTree,
    scored: ScoredListings,
    thresholds: Thresholds,
    min_level: int = 1,
) -> PredictedListings:
    """The best category of each modality at ``level``, and the answers; ``paths`` may be unknown to the model."""
    usable = {
        Modality.TEXT: scored.has_text,
        Modality.IMAGE: scored.has_image,
        Modality.FUSED: scored.has_text | scored.has_image,
    }
    by_modality = {
        modality: LevelPredictions.of(tree, scored.class_probabilities(modality), usable[modality])
        for modality in Modality
    }
    fused = by_modality[Modality.FUSED]
    novel = thresholds.floors.below(scored.max_scores)
    answers = fused.answers(thresholds)
    answers = answers.only(~novel & (answers.depths >= min_level)) if tree.is_deep else answers.only(~novel)
    path_names = np.asarray(paths, dtype=np.str_)
    truth = cut_names(path_names, level)
    return PredictedListings(
        truth=truth,
        predicted={modality: levels.at(level).categories for modality, levels in by_modality.items()},
        confidence={modality: levels.at(level).confidence for modality, levels in by_modality.items()},
        usable=usable,
        paths=path_names,
        levels=fused,
        answers=answers,
        correct=answers.correct(path_names if tree.is_deep else truth, exact=not tree.is_deep),
        novel=novel,
    )


def concatenate(parts: Sequence[PredictedListings]) -> PredictedListings:
    """The predictions of several folds, concatenated."""
    return PredictedListings(
        np.concatenate([part.truth for part in parts]),
        {modality: np.concatenate([part.predicted[modality] for part in parts]) for modality in Modality},
        {modality: np.concatenate([part.confidence[modality] for part in parts]) for modality in Modality},
        {modality: np.concatenate([part.usable[modality] for part in parts]) for modality in Modality},
        np.concatenate([part.paths for part in parts]),
        LevelPredictions.concatenate([part.levels for part in parts]),
        Answers(
            np.concatenate([part.answers.categories for part in parts]),
            np.concatenate([part.answers.confidence for part in parts]),
        ),
        np.concatenate([part.correct for part in parts]),
        np.concatenate([part.novel for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class CategoryFigures:
    """Metrics of one category with ``n`` listings; ``precision`` is None when it was never predicted."""

    n: int
    recall: float
    precision: float | None
    f1: float

    def as_json(self) -> JsonObject:
        """As manifests store them."""
        return {"n": self.n, "recall": self.recall, "precision": self.precision, "f1": self.f1}


@dataclass(frozen=True, slots=True)
class ClassificationFigures:
    """Metrics on ``n`` listings: ``accuracy`` with its bootstrap interval, ``macro_f1`` over the true categories."""

    n: int
    accuracy: Interval
    macro_f1: float
    calibration_error: float
    per_category: Mapping[str, CategoryFigures]

    def as_json(self) -> JsonObject:
        """As manifests store them."""
        return {
            "n": self.n,
            "accuracy": self.accuracy.mean,
            "interval": [self.accuracy.low, self.accuracy.high],
            "macro_f1": self.macro_f1,
            "calibration_error": self.calibration_error,
            "per_category": {category: figures.as_json() for category, figures in self.per_category.items()},
        }


@dataclass(frozen=True, slots=True)
class NoFigures:
    """The reason why a modality has no figures."""

    reason: str

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {"n": 0, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class DecisionFigures:
    """The share of listings that are assigned (``coverage``), the ``precision`` of these, and the share of novel ones.

    ``precision`` is None when nothing is assigned.
    """

    coverage: float
    precision: float | None
    novel: float

    def as_json(self) -> JsonObject:
        """As manifests store them, where the novel share is called ``strange``."""
        return {"coverage": self.coverage, "precision": self.precision, "strange": self.novel}


@dataclass(frozen=True, slots=True)
class PhotoGain:
    """The accuracy of text and photo minus that of the text alone, on the ``n`` listings that have a text."""

    n: int
    difference: Interval

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {"n": self.n, **self.difference.as_json()}


@dataclass(frozen=True, slots=True)
class HeldOutFigures:
    """Metrics by modality: ``text`` and ``image`` on the listings that have them, ``fused`` on all.

    In ``fused`` an abstention counts as an error. ``decisions`` is None without listings, ``photo_gain`` without texts.
    """

    text: ClassificationFigures | NoFigures
    image: ClassificationFigures | NoFigures
    fused: ClassificationFigures | NoFigures
    decisions: DecisionFigures | None
    photo_gain: PhotoGain | None

    @classmethod
    def of(cls, predictions: PredictedListings) -> HeldOutFigures:
        """The figures of these predictions."""
        all_listings = np.ones(len(predictions.truth), bool)
        return cls(
            _modality_figures(predictions, Modality.TEXT, predictions.usable[Modality.TEXT]),
            _modality_figures(predictions, Modality.IMAGE, predictions.usable[Modality.IMAGE]),
            _modality_figures(predictions, Modality.FUSED, all_listings),
            _decision_figures(predictions) if len(all_listings) else None,
            _photo_gain(predictions),
        )

    def as_json(self) -> JsonObject:
        """As in manifests and in the output of ``rayon evaluate --json``."""
        decisions = self.decisions.as_json() if self.decisions else {}
        return {
            "text": self.text.as_json(),
            "image": self.image.as_json(),
            "fused": self.fused.as_json() | decisions,
            "fused_less_text": self.photo_gain.as_json() if self.photo_gain else None,
        }


def classification_figures(
    truth: NDArray[np.str_], predicted: NDArray[np.str_], confidence: NDArray[np.float64]
) -> ClassificationFigures:
    """The metrics of predictions; arrays of shape (n,) with n > 0."""
    per_category: dict[str, CategoryFigures] = {}
    for category in sorted(set(truth.tolist())):
        is_true, is_predicted = truth == category, predicted == category
        n, hits = int(is_true.sum()), int((is_true & is_predicted).sum())
        precision = hits / int(is_predicted.sum()) if is_predicted.any() else None
        per_category[category] = CategoryFigures(n, hits / n, precision, 2 * hits / int(n + is_predicted.sum()))
    correct = truth == predicted
    return ClassificationFigures(
        n=len(truth),
        accuracy=accuracy_interval(correct),
        macro_f1=float(np.mean([figures.f1 for figures in per_category.values()])),
        calibration_error=calibration_error(confidence, correct),
        per_category=per_category,
    )


def calibration_error(confidence: NDArray[np.float64], correct: Mask) -> float:
    """Expected calibration error over 15 bins of equal width (Naeini et al. 2015); 0 is perfect."""
    bin_of_listing = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    total = 0.0
    for bin_index in np.unique(bin_of_listing):
        in_bin = bin_of_listing == bin_index
        total += float(in_bin.mean()) * abs(float(confidence[in_bin].mean()) - float(correct[in_bin].mean()))
    return total


def _modality_figures(
    predictions: PredictedListings, modality: Modality, counted: Mask
) -> ClassificationFigures | NoFigures:
    if not counted.any():
        return NoFigures(f"no listing has a usable {_EVIDENCE_NAMES[modality]}")
    predicted, confidence = predictions.predicted[modality][counted], predictions.confidence[modality][counted]
    return classification_figures(predictions.truth[counted], predicted, confidence)


def _decision_figures(predictions: PredictedListings) -> DecisionFigures:
    assigned = predictions.assigned
    precision = float(predictions.correct[assigned].mean()) if assigned.any() else None
    return DecisionFigures(float(assigned.mean()), precision, float(predictions.novel.mean()))


def _photo_gain(predictions: PredictedListings) -> PhotoGain | None:
    has_text = predictions.usable[Modality.TEXT]
    if not has_text.any():
        return None
    correct = {
        modality: predictions.predicted[modality][has_text] == predictions.truth[has_text]
        for modality in (Modality.TEXT, Modality.FUSED)
    }
    return PhotoGain(int(has_text.sum()), accuracy_difference(correct[Modality.FUSED], correct[Modality.TEXT]))
