"""Figures of a model on listings it was not trained on, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from pipeline.classification import metrics
from pipeline.classification.thresholds import Thresholds
from pipeline.classification.trained_model import ModalityProbabilities

DRAWS = 5_000


class Interval(TypedDict):
    """A figure, and from ``low`` to ``high`` what 95 % of the samples drawn again gave."""

    mean: float
    low: float
    high: float


def accuracy_interval(right: NDArray[np.bool_], seed: int = 0) -> Interval:
    """Of answers that are right or wrong, shape (n,) with n > 0."""
    return accuracy_difference(right, np.zeros(len(right), bool), seed)


def accuracy_difference(one: NDArray[np.bool_], other: NDArray[np.bool_], seed: int = 0) -> Interval:
    """Accuracy of ``one`` less that of ``other`` on the same listings, shape (n,): paired, so what both share cancels.

    A listing counts -1, 0 or 1; drawing listings with replacement draws these three from a multinomial distribution.
    """
    count = len(one)
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    shares = [gained / count, lost / count, max(0.0, 1 - gained / count - lost / count)]
    drawn = np.random.default_rng(seed).multinomial(count, shares, DRAWS)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / count, [2.5, 97.5])
    return Interval(mean=(gained - lost) / count, low=float(low), high=float(high))


BINS = 15
MODALITIES = ("text", "image", "fused")
PLAIN = {"text": "text", "image": "photo", "fused": "evidence"}


@dataclass(frozen=True, slots=True)
class PredictedListings:
    """What a model said of n listings, in arrays of shape (n,): answer '' and confidence 0 without evidence.

    ``strange`` are those unlike all that it learned from.
    """

    truth: NDArray[np.str_]
    predicted: dict[str, NDArray[np.str_]]
    confidence: dict[str, NDArray[np.float64]]
    usable: dict[str, NDArray[np.bool_]]
    assigned: NDArray[np.bool_]
    strange: NDArray[np.bool_]


def predict_categories(
    truth: Sequence[str], categories: Sequence[str], scored: ModalityProbabilities, chosen: Thresholds
) -> PredictedListings:
    """Best category and confidence of each modality; ``truth`` may hold categories which the model does not know."""
    known = np.array(categories, dtype=np.str_)
    usable = {"text": scored.has_text, "image": scored.has_image, "fused": scored.has_text | scored.has_image}
    predicted, confidence = {}, {}
    for modality, probabilities in (("text", scored.text), ("image", scored.image), ("fused", scored.fused)):
        predicted[modality] = np.where(usable[modality], known[probabilities.argmax(axis=1)], "")
        confidence[modality] = np.where(usable[modality], probabilities.max(axis=1), 0.0).astype(np.float64)
    needed = np.array([chosen.of(str(category)) for category in predicted["fused"]])
    strange = chosen.floors.below(scored.familiarity)
    assigned = usable["fused"] & (confidence["fused"] >= needed) & ~strange
    return PredictedListings(np.array(truth, dtype=np.str_), predicted, confidence, usable, assigned, strange)


def concatenate(parts: Sequence[PredictedListings]) -> PredictedListings:
    """The listings of several folds, one after the other."""
    return PredictedListings(
        np.concatenate([part.truth for part in parts]),
        {each: np.concatenate([part.predicted[each] for part in parts]) for each in MODALITIES},
        {each: np.concatenate([part.confidence[each] for part in parts]) for each in MODALITIES},
        {each: np.concatenate([part.usable[each] for part in parts]) for each in MODALITIES},
        np.concatenate([part.assigned for part in parts]),
        np.concatenate([part.strange for part in parts]),
    )


def held_out_figures(judged: PredictedListings) -> dict[str, Any]:
    """``text`` and ``image`` on the listings that have that evidence, ``fused`` on all, where an abstention is wrong.

    Coverage and precision are those of the decisions; ``strange`` is the share of listings unlike all that was known.
    """
    found: dict[str, Any] = {}
    for modality in MODALITIES:
        counted = judged.usable[modality] if modality != "fused" else np.ones(len(judged.truth), bool)
        if counted.any():
            truth, predicted = judged.truth[counted], judged.predicted[modality][counted]
            found[modality] = classification_figures(truth, predicted, judged.confidence[modality][counted])
            if modality == "fused":
                found[modality] |= decision_figures(truth, predicted, judged.assigned)
                found[modality] |= {"strange": float(judged.strange.mean())}
        else:
            found[modality] = {"n": 0, "reason": f"no listing has a usable {PLAIN[modality]}"}
    return found | {"fused_less_text": _fused_less_text(judged)}


def _fused_less_text(judged: PredictedListings) -> dict[str, Any] | None:
    """What the photo is worth beside the text: on the listings that have a text, paired; None when none has one."""
    both = judged.usable["text"]
    if not both.any():
        return None
    right = {each: judged.predicted[each][both] == judged.truth[both] for each in ("text", "fused")}
    return {"n": int(both.sum()), **metrics.accuracy_difference(right["fused"], right["text"])}


def classification_figures(
    truth: NDArray[np.str_], predicted: NDArray[np.str_], confidence: NDArray[np.float64]
) -> dict[str, Any]:
    """Accuracy, macro F1 over the categories of ``truth``, calibration error; arrays of shape (n,) with n > 0."""
    per_category: dict[str, dict[str, Any]] = {}
    for category in sorted(set(truth.tolist())):
        true, said = truth == category, predicted == category
        hits = int((true & said).sum())
        per_category[category] = {
            "n": int(true.sum()),
            "recall": hits / int(true.sum()),
            "precision": hits / int(said.sum()) if said.any() else None,
            "f1": 2 * hits / int(true.sum() + said.sum()),
        }
    right = truth == predicted
    bounds = metrics.accuracy_interval(right)
    return {
        "n": len(truth),
        "accuracy": float(right.mean()),
        "interval": [bounds["low"], bounds["high"]],
        "macro_f1": float(np.mean([row["f1"] for row in per_category.values()])),
        "calibration_error": calibration_error(confidence, right),
        "per_category": per_category,
    }


def decision_figures(
    truth: NDArray[np.str_], predicted: NDArray[np.str_], assigned: NDArray[np.bool_]
) -> dict[str, float | None]:
    """The share decided ``assigned``, and how much of that is right (None when nothing was assigned)."""
    right = truth == predicted
    return {
        "coverage": float(assigned.mean()),
        "precision": float(right[assigned].mean()) if assigned.any() else None,
    }


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error over 15 equal bins of confidence (Naeini et al. 2015): 0 is perfect."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    total = 0.0
    for each in np.unique(bins):
        inside = bins == each
        total += float(inside.mean()) * abs(float(confidence[inside].mean()) - float(right[inside].mean()))
    return total
