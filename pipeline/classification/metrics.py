"""Figures of a model on listings it was not trained on, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.decision_policy import Thresholds
from pipeline.classification.trained_model import ScoredListings
from pipeline.domain.json_record import JsonObject
from pipeline.domain.prediction import Modality
from pipeline.features.extractor import Mask

BINS = 15
DRAWS = 5_000
_EVIDENCE = {Modality.TEXT: "text", Modality.IMAGE: "photo", Modality.FUSED: "evidence"}


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and the bounds ``low`` and ``high`` of 95 % of the bootstrap samples."""

    mean: float
    low: float
    high: float

    def as_json(self) -> JsonObject:
        """``mean``, ``low``, ``high``."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def accuracy_interval(right: Mask, seed: int = 0) -> Interval:
    """The accuracy of answers that are right or wrong, shape (n,) with n > 0."""
    return accuracy_difference(right, np.zeros(len(right), bool), seed)


def accuracy_difference(one: Mask, other: Mask, seed: int = 0) -> Interval:
    """The accuracy of ``one`` less that of ``other`` on the same listings, (n,), by the bootstrap (Efron 1979).

    Paired, so what both share cancels. A listing counts -1, 0 or 1; drawing listings with replacement draws these three
    from a multinomial distribution.
    """
    count = len(one)
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    shares = [gained / count, lost / count, max(0.0, 1 - gained / count - lost / count)]
    drawn = np.random.default_rng(seed).multinomial(count, shares, DRAWS)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / count, [2.5, 97.5])
    return Interval(mean=(gained - lost) / count, low=float(low), high=float(high))


@dataclass(frozen=True, slots=True)
class PredictedListings:
    """Predictions for n listings, in arrays (n,): category '' and confidence 0 where there is no evidence.

    ``predicted``, ``confidence`` and ``usable`` are by modality. ``novel`` listings resemble none of the training ones.
    """

    truth: NDArray[np.str_]
    predicted: Mapping[Modality, NDArray[np.str_]]
    confidence: Mapping[Modality, NDArray[np.float64]]
    usable: Mapping[Modality, Mask]
    assigned: Mask
    novel: Mask


def predict_categories(
    truth: Sequence[str], categories: Sequence[str], scored: ScoredListings, thresholds: Thresholds
) -> PredictedListings:
    """The best category of each modality; ``truth`` may hold categories that the model does not know."""
    known = np.array(categories, dtype=np.str_)
    usable = {
        Modality.TEXT: scored.has_text,
        Modality.IMAGE: scored.has_image,
        Modality.FUSED: scored.has_text | scored.has_image,
    }
    by_modality = {Modality.TEXT: scored.text, Modality.IMAGE: scored.image, Modality.FUSED: scored.fused}
    predicted, confidence = {}, {}
    for modality, probabilities in by_modality.items():
        predicted[modality] = np.where(usable[modality], known[probabilities.argmax(axis=1)], "")
        confidence[modality] = np.where(usable[modality], probabilities.max(axis=1), 0.0).astype(np.float64)
    needed = np.array([thresholds.of(str(category)) for category in predicted[Modality.FUSED]])
    novel = thresholds.floors.below(scored.max_scores)
    assigned = usable[Modality.FUSED] & (confidence[Modality.FUSED] >= needed) & ~novel
    return PredictedListings(np.array(truth, dtype=np.str_), predicted, confidence, usable, assigned, novel)


def concatenate(parts: Sequence[PredictedListings]) -> PredictedListings:
    """The listings of several folds, one after the other."""
    return PredictedListings(
        np.concatenate([part.truth for part in parts]),
        {each: np.concatenate([part.predicted[each] for part in parts]) for each in Modality},
        {each: np.concatenate([part.confidence[each] for part in parts]) for each in Modality},
        {each: np.concatenate([part.usable[each] for part in parts]) for each in Modality},
        np.concatenate([part.assigned for part in parts]),
        np.concatenate([part.novel for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class CategoryFigures:
    """One category on ``n`` listings of it; ``precision`` is None when it was never predicted."""

    n: int
    recall: float
    precision: float | None
    f1: float

    def as_json(self) -> JsonObject:
        """The same by name."""
        return {"n": self.n, "recall": self.recall, "precision": self.precision, "f1": self.f1}


@dataclass(frozen=True, slots=True)
class ClassificationFigures:
    """Figures on ``n`` listings; ``accuracy`` with its bootstrap interval, macro F1 over the true categories."""

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
            "per_category": {category: each.as_json() for category, each in self.per_category.items()},
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
    """The accuracy of text and photo less that of the text alone, on the ``n`` listings that have a text, paired."""

    n: int
    difference: Interval

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {"n": self.n, **self.difference.as_json()}


@dataclass(frozen=True, slots=True)
class HeldOutFigures:
    """``text`` and ``image`` on the listings that have that evidence, ``fused`` on all, an abstention being wrong.

    ``decisions`` are None without any listing, ``photo_gain`` without any text.
    """

    text: ClassificationFigures | NoFigures
    image: ClassificationFigures | NoFigures
    fused: ClassificationFigures | NoFigures
    decisions: DecisionFigures | None
    photo_gain: PhotoGain | None

    @classmethod
    def of(cls, predictions: PredictedListings) -> HeldOutFigures:
        """The figures of these predictions."""
        everything = np.ones(len(predictions.truth), bool)
        return cls(
            _modality_figures(predictions, Modality.TEXT, predictions.usable[Modality.TEXT]),
            _modality_figures(predictions, Modality.IMAGE, predictions.usable[Modality.IMAGE]),
            _modality_figures(predictions, Modality.FUSED, everything),
            _decision_figures(predictions) if len(everything) else None,
            _photo_gain(predictions),
        )

    def as_json(self) -> JsonObject:
        """As manifests and ``rayon evaluate --json`` have them."""
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
    """The figures of predictions; arrays of shape (n,) with n > 0."""
    per_category: dict[str, CategoryFigures] = {}
    for category in sorted(set(truth.tolist())):
        is_true, is_predicted = truth == category, predicted == category
        n, hits = int(is_true.sum()), int((is_true & is_predicted).sum())
        precision = hits / int(is_predicted.sum()) if is_predicted.any() else None
        per_category[category] = CategoryFigures(n, hits / n, precision, 2 * hits / int(n + is_predicted.sum()))
    right = truth == predicted
    return ClassificationFigures(
        n=len(truth),
        accuracy=accuracy_interval(right),
        macro_f1=float(np.mean([each.f1 for each in per_category.values()])),
        calibration_error=calibration_error(confidence, right),
        per_category=per_category,
    )


def calibration_error(confidence: NDArray[np.float64], right: Mask) -> float:
    """Expected calibration error over 15 equal bins of confidence (Naeini et al. 2015): 0 is perfect."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    total = 0.0
    for each in np.unique(bins):
        inside = bins == each
        total += float(inside.mean()) * abs(float(confidence[inside].mean()) - float(right[inside].mean()))
    return total


def _modality_figures(
    predictions: PredictedListings, modality: Modality, counted: Mask
) -> ClassificationFigures | NoFigures:
    if not counted.any():
        return NoFigures(f"no listing has a usable {_EVIDENCE[modality]}")
    predicted, confidence = predictions.predicted[modality][counted], predictions.confidence[modality][counted]
    return classification_figures(predictions.truth[counted], predicted, confidence)


def _decision_figures(predictions: PredictedListings) -> DecisionFigures:
    right, assigned = predictions.truth == predictions.predicted[Modality.FUSED], predictions.assigned
    precision = float(right[assigned].mean()) if assigned.any() else None
    return DecisionFigures(float(assigned.mean()), precision, float(predictions.novel.mean()))


def _photo_gain(predictions: PredictedListings) -> PhotoGain | None:
    has_text = predictions.usable[Modality.TEXT]
    if not has_text.any():
        return None
    right = {
        each: predictions.predicted[each][has_text] == predictions.truth[has_text]
        for each in (Modality.TEXT, Modality.FUSED)
    }
    return PhotoGain(int(has_text.sum()), accuracy_difference(right[Modality.FUSED], right[Modality.TEXT]))
