"""Supervised figures of a study: what a model trained the usual way reaches on listings it has not seen.

Repeated, grouped, stratified cross-validation; extractor, estimator, calibration, fusion and thresholds are all fitted
inside the training folds. One call gives one row of the report, so rows can be computed apart and kept one by one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.cross_validation import CACHE_BYTES, cross_validate
from pipeline.classification.feature_extraction import CachedTextExtractor, cached_text_extractor
from pipeline.classification.grouped_folds import assign_folds, group_listings
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.targets import category_at_level
from pipeline.classification.training import make_photo_reader
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, no_progress
from pipeline.domain.study import TrialStatus
from pipeline.domain.training import TrainingOptions
from pipeline.study.bootstrap import accuracy_and_f1
from pipeline.study.dataset import without_attributes
from pipeline.study.sampling import stratified

MOST = 6_000  # listings judged; of more, a stratified sample: the figures would not change, the time would
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Figures:
    """A row of the report's ``supervised``; held-out ``probabilities``, float32, (n, categories), a mean over repeats.

    A listing that was not judged, or could not be, has zeros.
    """

    row: dict[str, Any]
    probabilities: NDArray[np.float32]


def score(
    examples: Sequence[Example],
    *,
    text_extractor: str | None,
    image_extractors: Sequence[str] = (),
    attributes: bool = True,
    level: int,
    folds: int = 5,
    repeats: int = 2,
    seed: int = 0,
    weights: Mapping[str, str] | None = None,
    reader: PhotoReader | None = None,
    known: CachedTextExtractor | None = None,
    progress: Progress = no_progress,
) -> Figures:
    """Judge the text, the photos, or both, by which extractors are named; without ``attributes`` nobody sees them.

    Repeat r draws its folds with seed + r. ``reader`` and ``known`` let several rows share what was read. Raises
    InvalidInput when there are too few listings, Unavailable when an extractor lacks its weights.
    """
    begun = time.perf_counter()
    modality = _modality(text_extractor, image_extractors)
    names = [category_at_level(example.category, level) for example in examples]
    categories = sorted(set(names))
    index = {name: at for at, name in enumerate(categories)}
    labels = np.array([index[name] for name in names], np.int64)
    judged = stratified(labels, MOST, seed) if len(labels) > MOST else np.arange(len(labels))
    folds = min(folds, len(judged) // 2)
    if folds < 2:
        raise InvalidInput(f"{len(judged)} listings are too few to learn from some and try the others")
    seen = [examples[at] for at in judged]
    grouped = group_listings(seen, [names[at] for at in judged], folds)
    seen = seen if attributes else without_attributes(seen)
    options = TrainingOptions(
        level=level,
        text_extractor=text_extractor,
        image_extractors=tuple(image_extractors),
        weights=weights or {},
        seed=seed,
    )
    reader = reader or make_photo_reader(image_extractors, weights, CACHE_BYTES)
    known = known or cached_text_extractor(options)
    total = np.zeros((len(labels), len(categories)), np.float64)
    predicted = np.full((repeats, len(judged)), -1, np.int64)
    usable = np.zeros(len(judged), bool)
    for repeat in range(repeats):
        assigned = assign_folds([names[at] for at in judged], grouped, folds, seed + repeat)

        def part(share: float, note: str, repeat: int = repeat) -> None:
            progress((repeat + share) / repeats, f"round {repeat + 1} of {repeats}, {note}")

        for fold in cross_validate(
            seen, assigned, replace(options, seed=seed + repeat), reader, text_cache=known, progress=part
        ):
            model, test = fold.model, fold.test
            columns = [index[category] for category in model.categories]
            for start in range(0, len(test), _CHUNK):
                rows = test[start : start + _CHUNK]
                scored = model.score(list(reader.describe_all([seen[row].evidence for row in rows])))
                has = {Modality.TEXT: scored.has_text, Modality.IMAGE: scored.has_image}
                answered = has.get(modality, scored.has_text | scored.has_image)
                found = np.zeros((len(rows), len(categories)))
                found[:, columns] = scored.fused
                predicted[repeat, rows[answered]] = found[answered].argmax(axis=1)
                usable[rows] |= answered
                total[judged[rows]] += found
    # A listing with neither text nor photo is a wrong answer of a fused model; alone, a side answers for what it sees.
    counted = np.ones(len(judged), bool) if modality is Modality.FUSED else usable
    if not counted.any():
        raise InvalidInput(f"no listing has a usable {'text' if modality is Modality.TEXT else 'photo'}")
    accuracy, macro_f1 = accuracy_and_f1(labels[judged][counted], predicted[:, counted], len(categories), seed)
    row = {
        **_about(text_extractor, image_extractors, attributes),
        "accuracy": asdict(accuracy),
        "macro_f1": asdict(macro_f1),
        "n": int(counted.sum()),
        "folds": folds,
        "repeats": repeats,
        "seconds": round(time.perf_counter() - begun, 3),
        "status": TrialStatus.DONE.value,
        "reason": None,
    }
    return Figures(row, (total / repeats).astype(np.float32))


def unavailable(
    text_extractor: str | None, image_extractors: Sequence[str], attributes: bool, status: TrialStatus, reason: str
) -> dict[str, Any]:
    """The row of what could not be judged, and why."""
    nothing: dict[str, Any] = {"accuracy": None, "macro_f1": None, "n": 0, "folds": 0, "repeats": 0, "seconds": 0.0}
    about = _about(text_extractor, image_extractors, attributes)
    return {**about, **nothing, "status": status.value, "reason": reason}


def _about(text_extractor: str | None, image_extractors: Sequence[str], attributes: bool) -> dict[str, Any]:
    evidence = ["name", "description", *(["attributes"] if attributes else [])] if text_extractor else []
    names = [*([text_extractor] if text_extractor else []), *image_extractors]
    modality = _modality(text_extractor, image_extractors)
    photo = ["photo"] if image_extractors else []
    return {"extractor": "+".join(names), "modality": modality.value, "evidence": [*evidence, *photo]}


def _modality(text_extractor: str | None, image_extractors: Sequence[str]) -> Modality:
    if text_extractor and image_extractors:
        return Modality.FUSED
    return Modality.TEXT if text_extractor else Modality.IMAGE
