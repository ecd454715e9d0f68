"""Learning categories from photos, and from views of them where held-out listings say that views help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classification import metrics
from pipeline.classification.calibration import Floats
from pipeline.classification.estimators import AugmentedRows
from pipeline.classification.evidence_views import EvidenceFeatures, Extractors, View
from pipeline.classification.feature_extraction import Progress, extract_photo_features, fit_photo_extractors
from pipeline.classification.modality_fitting import FittedModality, empty_fit, fit_modality
from pipeline.classification.nystroem import fit_join
from pipeline.classification.photo_reader import AugmentedView, PhotoReader
from pipeline.classification.targets import Targets
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import ImageExtractor

VIEWS = 2  # of each photo, beside the photo itself
ROWS = 4_000  # photos and views together: more photos teach more than views of them, and cost no more
_LEAST = 1e-6  # of a probability, so that one wrong certainty does not decide alone


@dataclass(frozen=True, slots=True)
class AugmentedFeatures:
    """Vectors (m, d) by extractor of views of photos, and which listing each is of, (m,)."""

    vectors: Mapping[str, Floats]
    origin: NDArray[np.int64]


def fit_image(
    evidences: Sequence[Evidence],
    lesson: Targets,
    reader: PhotoReader,
    seed: int,
    progress: Progress,
    embed: bool = True,
    views: int = 0,
    former: Mapping[str, ImageExtractor] | None = None,
) -> tuple[FittedModality, dict[str, Any] | None]:
    """The image part, and what ``views`` of each photo did for it; None without views.

    Each photo is read at most twice: once to fit the extractors on a sample, once to use them. Extractors go on from
    the ``former`` ones of their name, where there are such.
    """
    extractors = fit_photo_extractors(
        evidences, reader, seed, lambda share, note: progress(0.1 + 0.3 * share, note), former
    )
    if extractors is None:
        return empty_fit(len(evidences), lesson.kinds), None
    seen = extract_photo_features(extractors, evidences, reader, lambda share, note: progress(0.4 + 0.2 * share, note))
    looked = extract_augmented_features(
        extractors, evidences, seen, reader, views, seed, lambda share, note: progress(0.6 + 0.25 * share, note)
    )
    return fit_augmented(
        extractors,
        seen,
        looked,
        lesson,
        seed,
        embed,
        lambda share: progress(0.85 + 0.1 * share, "learning categories from photos"),
    )


def extract_augmented_features(
    extractors: Extractors,
    evidences: Sequence[Evidence],
    seen: EvidenceFeatures,
    reader: PhotoReader,
    views: int,
    seed: int,
    progress: Progress,
) -> AugmentedFeatures:
    """The vectors of ``views`` views of each photo that could be read, as far as ROWS have room, drawn evenly."""
    usable = np.flatnonzero(seen.usable)
    vectors: dict[str, list[Floats]] = {name: [] for name in extractors}
    origin: list[NDArray[np.int64]] = []
    room = ROWS - len(usable)
    for number in range(views):
        drawn = usable
        if room < len(usable):
            drawn = np.sort(np.random.default_rng(seed + number).permutation(usable)[: max(room, 0)])
        if not len(drawn):
            break
        room -= len(drawn)

        def part(share: float, note: str, number: int = number) -> None:
            progress((number + share) / views, f"view {number + 1} of {views}: {note}")

        looked = extract_photo_features(
            extractors, [evidences[int(at)] for at in drawn], reader, part, AugmentedView(number, seed)
        )
        for name in extractors:
            vectors[name].append(np.asarray(looked.vectors[View.WHOLE][name], np.float32))
        origin.append(drawn)
    return AugmentedFeatures(
        {name: np.concatenate(parts) for name, parts in vectors.items() if parts},
        np.concatenate(origin) if origin else np.zeros(0, np.int64),
    )


def fit_augmented(
    extractors: Extractors,
    seen: EvidenceFeatures,
    looked: AugmentedFeatures,
    lesson: Targets,
    seed: int,
    embed: bool = True,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[FittedModality, dict[str, Any] | None]:
    """The part that judges held-out photos best: learned from the photos alone, or with their views.

    The views of a photo are in its fold, and only photos as they are get judged. The choice is by the likelihood of the
    held-out labels, which sees more than the few answers that change from right to wrong.
    """
    projected = seed if embed else None
    has, labels = seen.usable, lesson.labels
    if len(np.unique(labels[has])) < 2:
        return empty_fit(len(labels), lesson.kinds), None
    own = {name: rows[has] for name, rows in seen.vectors[View.WHOLE].items()}
    join = fit_join(own, labels[has], lesson.kinds, lesson.folds[has], seed)
    progress(0.0)
    half = 0.5 if len(looked.origin) else 1.0
    plain = fit_modality(extractors, seen, lesson, projected, join, progress=lambda share: progress(half * share))
    if not len(looked.origin):
        return plain, None
    more = AugmentedRows(join(looked.vectors), looked.origin)
    augmented = fit_modality(
        extractors, seen, lesson, projected, join, more, lambda share: progress(half + half * share)
    )
    found = compare_held_out(plain.probabilities[has], augmented.probabilities[has], labels[has], seed)
    found |= {"views": len(looked.origin)}
    return (augmented if found["kept"] else plain), found


def compare_held_out(plain: Floats, augmented: Floats, labels: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Accuracy and log loss of held-out probabilities (n, categories), and whether the second loses less."""
    right, too = plain.argmax(axis=1) == labels, augmented.argmax(axis=1) == labels
    losses = [_log_loss(each, labels) for each in (plain, augmented)]
    return {
        "kept": losses[1] < losses[0],
        "plain": {"accuracy": metrics.accuracy_interval(right, seed), "log_loss": losses[0]},
        "augmented": {"accuracy": metrics.accuracy_interval(too, seed), "log_loss": losses[1]},
        "difference": metrics.accuracy_difference(too, right, seed),
    }


def _log_loss(probabilities: Floats, labels: NDArray[np.int64]) -> float:
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(own, _LEAST)).mean())
