"""Cross-validation: models whose every part was fitted on other listings than those they are then asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.feature_extraction import CachedTextExtractor, Progress, silent
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.thresholds import PRECISION_TARGET
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.listing import Example

CACHE = 1_200_000_000  # bytes of descriptors remembered from fold to fold
DISK = 8_000_000_000  # and in files, where photos have views


def cached_text_extractor(text_extractor: str | None, weights: Mapping[str, str] | None) -> CachedTextExtractor | None:
    """A pretrained text extractor reads each text once for all folds; None for one that learns from the catalogue.

    Unavailable when it lacks its weights.
    """
    if text_extractor is None or not extractor_spec(text_extractor).takes_weights:
        return None
    return CachedTextExtractor(text_extractor, (weights or {}).get(text_extractor))


def cross_validate(
    examples: Sequence[Example],
    folds: NDArray[np.int64],
    *,
    level: int,
    text_extractor: str | None = "tfidf",
    image_extractors: Sequence[str] = ("fisher",),
    weights: Mapping[str, str] | None = None,
    seed: int = 0,
    target: float = PRECISION_TARGET,
    reader: PhotoReader,
    known: CachedTextExtractor | None = None,
    views: int = 0,
    progress: Progress = silent,
) -> Iterator[tuple[TrainedModel, NDArray[np.int64]]]:
    """For each fold, the model of the other folds and the indices of this one; ``folds`` has shape (n,).

    Extractors, estimators, calibration, fusion and thresholds are all fitted inside ``train``, on the other folds.
    """
    known = known or cached_text_extractor(text_extractor, weights)
    numbers = np.unique(folds)
    for at, fold in enumerate(numbers):

        def part(share: float, note: str, at: int = at) -> None:
            progress((at + share) / len(numbers), f"fold {at + 1} of {len(numbers)}: {note}")

        model, _ = train(
            [examples[int(index)] for index in np.flatnonzero(folds != fold)],
            level=level,
            text_extractor=text_extractor,
            image_extractors=image_extractors,
            weights=weights,
            seed=seed,
            target=target,
            progress=part,
            reader=reader,
            known=known,
            embed=False,
            views=views,
        )
        yield model, np.flatnonzero(folds == fold)
