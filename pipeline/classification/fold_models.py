"""Models of a cross-validation: one per fold, trained on the other folds."""

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


@dataclass(frozen=True, slots=True)
class FoldModel:
    """A model, and the indices (m,) of the listings of its fold, on which it was not trained."""

    model: TrainedModel
    test_indices: NDArray[np.int64]


def models_by_fold(
    examples: Sequence[Example],
    folds: NDArray[np.int64],
    options: TrainingOptions,
    reader: PhotoReader,
    *,
    text_cache: CachedTextExtractor | None = None,
    progress: Progress = no_progress,
) -> Iterator[FoldModel]:
    """For each fold, a model trained on the other folds; ``folds`` has shape (n,).

    ``train`` fits extractors, estimators, calibration, fusion and thresholds on the other folds only; ``reader`` and
    ``text_cache`` share nothing that fitting changes.
    """
    text_cache = text_cache or cached_text_extractor(options)
    fold_ids = np.unique(folds)
    for position, fold_id in enumerate(fold_ids):
        fold_progress = stage(
            progress,
            position / len(fold_ids),
            (position + 1) / len(fold_ids),
            f"fold {position + 1} of {len(fold_ids)}: ",
        )
        result = train(
            [examples[int(index)] for index in np.flatnonzero(folds != fold_id)],
            replace(options, embeddings=False),
            progress=fold_progress,
            reader=reader,
            text_cache=text_cache,
        )
        yield FoldModel(result.model, np.flatnonzero(folds == fold_id))
