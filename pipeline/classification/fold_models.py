"""Cross-validation: each listing is predicted by a model that was fitted without its fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.feature_extraction import CachedTextExtractor, cached_text_extractor
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.listing import Example
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.training import TrainingOptions

CACHE_BYTES = 1_200_000_000  # of descriptors, kept in memory from fold to fold
DISK_BYTES = 8_000_000_000  # and in files, where photos have augmented views


@dataclass(frozen=True, slots=True)
class FoldModel:
    """A model, and the indices (m,) of the listings of its fold, which it was not trained on."""

    model: TrainedModel
    test: NDArray[np.int64]


def models_by_fold(
    examples: Sequence[Example],
    folds: NDArray[np.int64],
    options: TrainingOptions,
    reader: PhotoReader,
    *,
    text_cache: CachedTextExtractor | None = None,
    progress: Progress = no_progress,
) -> Iterator[FoldModel]:
    """For each fold, the model of the other folds; ``folds`` has shape (n,).

    ``train`` fits extractors, estimators, calibration, fusion and thresholds on the other folds alone; ``reader`` and
    ``text_cache`` only share what no fit changes.
    """
    text_cache = text_cache or cached_text_extractor(options)
    numbers = np.unique(folds)
    for at, fold in enumerate(numbers):
        fold_progress = stage(
            progress, at / len(numbers), (at + 1) / len(numbers), f"fold {at + 1} of {len(numbers)}: "
        )
        result = train(
            [examples[int(index)] for index in np.flatnonzero(folds != fold)],
            replace(options, embeddings=False),
            progress=fold_progress,
            reader=reader,
            text_cache=text_cache,
        )
        yield FoldModel(result.model, np.flatnonzero(folds == fold))
