"""Fit the photo modality, with augmented views of the photos if they improve held-out predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import held_out_probabilities
from pipeline.classification.estimators import AugmentedRows
from pipeline.classification.evidence_views import EvidenceFeatures, Extractors
from pipeline.classification.feature_extraction import extract_photo_features, fit_photo_extractors
from pipeline.classification.feature_join import fit_join
from pipeline.classification.metrics import Interval, accuracy_difference, accuracy_interval
from pipeline.classification.modality_fitting import FittedModality, empty_fit, fit_modality
from pipeline.classification.photo_reader import AugmentedView, PhotoReader
from pipeline.classification.targets import MIN_LISTINGS_TO_CHOOSE, Targets, recur_in_other_folds
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import Floats, ImageExtractor

MAX_TRAINING_ROWS = 4_000  # photos and views together: further photos teach more than views, at the same cost
_MIN_PROBABILITY = 1e-6  # lower bound in the log loss, so that a single confident error does not dominate


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """Accuracy and log loss of held-out probabilities."""

    accuracy: Interval
    log_loss: float

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {"accuracy": self.accuracy.as_json(), "log_loss": self.log_loss}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares a ``plain`` fit with another on the same held-out listings; ``difference`` is other minus plain."""

    plain: HeldOutScore
    other: HeldOutScore
    difference: Interval

    @property
    def kept(self) -> bool:
        """Whether the other fit is preferred: it has the lower log loss."""
        return self.other.log_loss < self.plain.log_loss

    def as_json(self, other_name: str) -> JsonObject:
        """As manifests store it; ``other_name`` is the key of the other fit."""
        return {
            "kept": self.kept,
            "plain": self.plain.as_json(),
            other_name: self.other.as_json(),
            "difference": self.difference.as_json(),
        }


@dataclass(frozen=True, slots=True)
class AugmentationReport:
    """Held-out scores without and with augmentation, by ``views`` augmented views in total."""

    comparison: Comparison
    views: int

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {**self.comparison.as_json("augmented"), "views": self.views}


@dataclass(frozen=True, slots=True)
class AugmentedFit:
    """The better fit, and the report on augmentation; None without augmented views."""

    fitted: FittedModality
    augmentation: AugmentationReport | None = None


@dataclass(frozen=True, slots=True)
class AugmentedFeatures:
    """Vectors (m, d) of augmented views, by extractor, and the index of each view's listing, ``origin`` (m,)."""

    vectors: Mapping[str, Floats]
    origin: NDArray[np.int64]

    def of_extractors(self, names: Sequence[str]) -> AugmentedFeatures:
        """A copy with only the vectors of these extractors."""
        return AugmentedFeatures({name: self.vectors[name] for name in names if name in self.vectors}, self.origin)


def fit_image(
    evidences: Sequence[Evidence],
    targets: Targets,
    reader: PhotoReader,
    options: TrainingOptions,
    previous: Mapping[str, ImageExtractor] | None = None,
    progress: Progress = no_progress,
) -> AugmentedFit:
    """Fit the photos, with augmented views of them if those help; extractors continue from the ``previous`` ones.

    Each photo is read at most twice: once to fit the extractors (on a sample), once to extract features. Extractors
    that do not help are left out if the options say so.
    """
    seed = options.seed
    extractors = fit_photo_extractors(evidences, reader, seed, stage(progress, 0.0, 0.35), previous)
    if extractors is None:
        return AugmentedFit(empty_fit(len(evidences), targets.n_categories))
    features = extract_photo_features(extractors, evidences, reader, stage(progress, 0.35, 0.59))
    augmented = extract_augmented_features(
        extractors, evidences, features, reader, options, stage(progress, 0.59, 0.88)
    )
    fit_progress = stage(progress, 0.88, 1.0, note="learning categories from photos")
    result = fit_augmented(extractors, features, augmented, targets, seed, fit_progress)
    useful = useful_extractors(result.fitted, targets) if options.prune_extractors else tuple(extractors)
    if len(useful) < len(extractors):
        extractors = {name: extractors[name] for name in useful}
        features, augmented = features.of_extractors(useful), augmented.of_extractors(useful)
        result = fit_augmented(extractors, features, augmented, targets, seed, fit_progress)
    fitted = result.fitted.with_classes(features, targets)
    return AugmentedFit(fitted.with_embeddings(features, seed) if options.embeddings else fitted, result.augmentation)


def useful_extractors(fitted: FittedModality, targets: Targets) -> tuple[str, ...]:
    """The extractors whose scores make the held-out labels likelier, beside those of the others.

    One after the other, the extractor is left out without which the labels are likeliest, as long as they get no less
    likely (backward elimination). Each set is scored by a pool of the extractors' own estimators, whose held-out scores
    exist already.
    """
    labels, folds = targets.labels[fitted.usable], targets.folds[fitted.usable]

    counted = recur_in_other_folds(labels, folds)

    def log_loss(names: Sequence[str]) -> float:
        matrices = [fitted.single_scores[name][fitted.usable] for name in names]
        probabilities = held_out_probabilities(matrices, labels, folds, counted=counted)
        return _log_loss(probabilities[counted], labels[counted])

    kept = tuple(fitted.single_scores) or tuple(fitted.model.extractors if fitted.model else ())
    if len(kept) < 2 or counted.sum() < MIN_LISTINGS_TO_CHOOSE:
        return kept
    lowest = log_loss(kept)
    while len(kept) > 1:
        smaller_sets = [tuple(name for name in kept if name != dropped) for dropped in kept]
        losses = [log_loss(names) for names in smaller_sets]
        best = int(np.argmin(losses))
        if losses[best] > lowest:
            break
        kept, lowest = smaller_sets[best], losses[best]
    return kept


def extract_augmented_features(
    extractors: Extractors,
    evidences: Sequence[Evidence],
    features: EvidenceFeatures,
    reader: PhotoReader,
    options: TrainingOptions,
    progress: Progress,
) -> AugmentedFeatures:
    """The vectors of augmented views of the photos that could be read (``features.usable``).

    As many views as the options request, up to MAX_TRAINING_ROWS rows in total; for the last view, photos are drawn at
    random.
    """
    usable = np.flatnonzero(features.usable)
    vectors: dict[str, list[Floats]] = {name: [] for name in extractors}
    origin: list[NDArray[np.int64]] = []
    remaining_rows, n_views = MAX_TRAINING_ROWS - len(usable), options.augmented_views
    for number in range(n_views):
        selected = usable
        if remaining_rows < len(usable):
            selected = np.sort(
                np.random.default_rng(options.seed + number).permutation(usable)[: max(remaining_rows, 0)]
            )
        if not len(selected):
            break
        remaining_rows -= len(selected)
        view_progress = stage(progress, number / n_views, (number + 1) / n_views, f"view {number + 1} of {n_views}: ")
        view = AugmentedView(number, options.seed)
        photos = [evidences[int(index)] for index in selected]
        view_features = extract_photo_features(extractors, photos, reader, view_progress, view)
        for name in extractors:
            vectors[name].append(np.asarray(view_features.whole_vectors[name], np.float32))
        origin.append(selected)
    return AugmentedFeatures(
        {name: np.concatenate(parts) for name, parts in vectors.items() if parts},
        np.concatenate(origin) if origin else np.zeros(0, np.int64),
    )


def fit_augmented(
    extractors: Extractors,
    features: EvidenceFeatures,
    augmented: AugmentedFeatures,
    targets: Targets,
    seed: int,
    progress: Progress = no_progress,
) -> AugmentedFit:
    """Fit the photos alone, and with their views if there are any; return the fit that predicts held-out photos best.

    The views of a photo are in its fold, and only original photos are scored. The choice is by the likelihood of the
    held-out labels, which is more sensitive than accuracy, where only few predictions change.
    """
    has, labels = features.usable, targets.labels
    if len(np.unique(labels[has])) < 2:
        return AugmentedFit(empty_fit(len(labels), targets.n_categories))
    join = fit_join({name: rows[has] for name, rows in features.whole_vectors.items()}, targets.subset(has), seed)
    progress(0.0, "kernels are chosen")
    plain_end = 0.5 if len(augmented.origin) else 1.0
    plain = fit_modality(extractors, features, targets, join, progress=stage(progress, 0.0, plain_end))
    if not len(augmented.origin):
        return AugmentedFit(plain)
    augmented_rows = AugmentedRows(join(augmented.vectors), augmented.origin)
    with_views = fit_modality(
        extractors, features, targets, join, augmented_rows, progress=stage(progress, plain_end, 1.0)
    )
    comparison = compare_held_out(plain.probabilities[has], with_views.probabilities[has], labels[has], seed)
    report = AugmentationReport(comparison, len(augmented.origin))
    return AugmentedFit(with_views if comparison.kept else plain, report)


def compare_held_out(plain: Floats, other: Floats, labels: NDArray[np.int64], seed: int) -> Comparison:
    """Compare two fits by their held-out probabilities (n, categories) of the same listings."""
    plain_correct, other_correct = plain.argmax(axis=1) == labels, other.argmax(axis=1) == labels
    return Comparison(
        plain=HeldOutScore(accuracy_interval(plain_correct, seed), _log_loss(plain, labels)),
        other=HeldOutScore(accuracy_interval(other_correct, seed), _log_loss(other, labels)),
        difference=accuracy_difference(other_correct, plain_correct, seed),
    )


def _log_loss(probabilities: Floats, labels: NDArray[np.int64]) -> float:
    label_probabilities = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(label_probabilities, _MIN_PROBABILITY)).mean())
