"""A backbone fine-tuned on the catalogue's own labels, taken where photos that it never saw say that it is better.

A network that has seen a label says more of that photo than it will of any other, so nothing may be judged by it on
photos it learned from. For each fold one is fine-tuned on the other folds, and by the scores that these networks give
their held-out photos the part is calibrated, and compared with the part of the network as it was published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Floats, fit_pool, held_out_probabilities
from pipeline.classification.estimators import IMAGE_PENALTIES, RidgeFit, fit_ridge
from pipeline.classification.evidence_views import View
from pipeline.classification.feature_extraction import Progress
from pipeline.classification.modality_fitting import FittedModality, principal_axes
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.novelty import ScoreStatistics
from pipeline.classification.nystroem import FeatureJoin, fit_join
from pipeline.classification.photo_training import compare_held_out
from pipeline.classification.targets import Targets
from pipeline.domain.listing import Evidence
from pipeline.features.photo_decoding import decode_photo
from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.backbones import resize_photo
from pipeline.networks.finetune import LAST_BLOCK, FineTunedNetwork, fine_tune

# Row of the backbone, weights file, photos (n, side, side, 3), labels, which of them validate, progress: the network.
Tuner = Callable[..., FineTunedNetwork]


@dataclass(frozen=True, slots=True)
class Photos:
    """The photos that could be read, as the network takes them: ``pixels`` (n, side, side, 3), uint8."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    folds: NDArray[np.int64]


def tunable_network(part: ModalityModel | None) -> PretrainedNetwork | None:
    """The network of a part that can be fine-tuned: its only extractor, with the weights file at hand; else None."""
    if part is None or len(part.extractors) != 1:
        return None
    (extractor,) = part.extractors.values()
    if not isinstance(extractor, PretrainedNetwork) or extractor.weights is None:
        return None
    return extractor if extractor.backbone.name in LAST_BLOCK else None


def fit_fine_tuned(
    plain: FittedModality,
    network: PretrainedNetwork,
    evidences: Sequence[Evidence],
    lesson: Targets,
    seed: int,
    progress: Progress,
    tuner: Tuner = fine_tune,
) -> tuple[FittedModality, dict[str, Any]]:
    """The better of the part as it is and the part with its ``tunable`` network fine-tuned, and what was found.

    It is fine-tuned once a fold, to see what it is worth, and, where it is worth it, once for good.
    """
    part, held_out, has, _ = plain
    kinds = lesson.kinds
    rows = np.flatnonzero(has)
    name, row, weights = network.backbone.name, network.backbone, Path(str(network.weights))
    pixels = np.stack([resize_photo(row, _read(evidences[int(at)])) for at in rows])
    photos = Photos(pixels, lesson.labels[rows], lesson.folds[rows])
    numbers = np.unique(photos.folds)
    steps = len(numbers) + 1
    scores = np.zeros((len(rows), kinds), np.float32)
    histories: list[dict[str, Any]] = []

    def tuned_on(inside: NDArray[np.bool_], stop: int) -> PretrainedNetwork:
        at = len(histories)

        def step(share: float, note: str) -> None:
            progress((at + share) / steps, f"fine-tuning {at + 1} of {steps}, {note}")

        tuned = tuner(row, weights, *training_split(photos, inside, stop), step)
        histories.append(tuned.history)
        # Of no published file any more: only the export can serve it.
        found = type(network)(threads=network.threads, looks=1).set_params()
        found.network_, found.weights_sha256_ = tuned.network, None
        return found

    for at, fold in enumerate(numbers):
        inside = photos.folds != fold
        vectors = _unit(tuned_on(inside, numbers[(at + 1) % len(numbers)]).transform(list(pixels)))
        join, fitted = _fit(name, vectors[inside], photos.labels[inside], kinds, photos.folds[inside], seed)
        scores[~inside] = fitted.estimator.scores(join({name: vectors[~inside]}))
    probabilities = held_out_probabilities([scores], photos.labels, photos.folds)
    found = compare_held_out(held_out[rows], probabilities, photos.labels, seed)
    report = {("finetuned" if key == "augmented" else key): value for key, value in found.items()}
    report["histories"] = histories
    if not found["kept"] or part is None:
        return plain, report
    final = tuned_on(np.ones(len(rows), bool), numbers[0])
    vectors = _unit(final.transform(list(pixels)))
    join, fitted = _fit(name, vectors, photos.labels, kinds, photos.folds, seed)
    projections = {name: principal_axes(vectors, seed)} if part.projections else {}
    pools = {View.WHOLE.value: fit_pool([scores], photos.labels)}
    usual = ScoreStatistics.of(scores)
    better = ModalityModel(
        {name: final}, {View.WHOLE: fitted.estimator}, pools, projections, join, usual={View.WHOLE: usual}
    )
    spread = np.zeros((len(has), kinds), np.float32)
    spread[rows] = probabilities
    familiarity = np.zeros(len(has), np.float32)
    familiarity[rows] = usual.familiarity(scores)
    return FittedModality(better, spread, has, familiarity), report


def training_split(
    photos: Photos, inside: NDArray[np.bool_], stop: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """Pixels, labels and which of them validate (those of the fold ``stop``), to fine-tune on the photos ``inside``.

    Those that are learned from come with their mirror images.
    """
    mine = np.flatnonzero(inside)
    learned = mine[photos.folds[mine] != stop]
    pixels = np.concatenate([photos.pixels[mine], photos.pixels[learned][:, :, ::-1]])
    labels = photos.labels[np.concatenate([mine, learned])]
    return pixels, labels, np.concatenate([photos.folds[mine] == stop, np.zeros(len(learned), bool)])


def _fit(
    name: str, vectors: Floats, labels: NDArray[np.int64], kinds: int, folds: NDArray[np.int64], seed: int
) -> tuple[FeatureJoin, RidgeFit]:
    join = fit_join({name: vectors}, labels, kinds, folds, seed)
    return join, fit_ridge(join({name: vectors}), labels, kinds, folds, IMAGE_PENALTIES)


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


def _read(evidence: Evidence) -> NDArray[np.uint8]:
    if evidence.photo is None:
        raise ValueError("a listing without a photo cannot be looked at")
    return decode_photo(evidence.photo)
