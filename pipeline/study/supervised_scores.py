"""Supervised figures of a study: the accuracy on unseen listings of a model trained as in production.

Repeated, grouped, stratified cross-validation; extractor, estimator, calibration, fusion and thresholds are all fitted
inside the training folds. One call scores one kind of evidence, so that each can be computed and stored separately.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.feature_extraction import CachedTextExtractor, cached_text_extractor
from pipeline.classification.fold_models import models_by_fold
from pipeline.classification.grouped_folds import assign_folds
from pipeline.classification.listing_groups import group_listings
from pipeline.classification.photo_reader import FOLD_CACHE_BYTES, PhotoReader
from pipeline.classification.targets import category_at_level
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import make_photo_reader
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import Spread, TrialStatus
from pipeline.domain.study_report import SupervisedFigures
from pipeline.domain.training import TrainingOptions
from pipeline.study.dataset import without_attributes
from pipeline.study.sampling import stratified_sample

MAX_LISTINGS = 6_000  # of more listings a stratified sample is judged: more take longer for the same figures
RESAMPLES = 500
_CHUNK = 256
_NOTHING_USABLE = {
    Modality.TEXT: ReasonCode.NO_USABLE_TEXTS,
    Modality.IMAGE: ReasonCode.NO_USABLE_PHOTOS,
    Modality.FUSED: ReasonCode.NOTHING_USABLE,
}
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SupervisedSetup:
    """The extractors to train, the level, and the validation: repeat r draws its folds with seed + r.

    ``text_encoder`` is a pretrained one beside the text extractor, as trained models have it. ``weights`` are local
    paths by extractor. ``reader`` and ``text_cache``, if given, are caches that scores share.
    """

    level: int
    text_extractor: str | None = None
    image_extractors: Sequence[str] = ()
    folds: int = 5
    repeats: int = 2
    seed: int = 0
    weights: Mapping[str, str] = field(default_factory=dict)
    reader: PhotoReader | None = None
    text_cache: CachedTextExtractor | None = None
    text_encoder: str | None = None

    @property
    def modality(self) -> Modality:
        """The modality of the extractors."""
        return _modality(self.text_extractor, self.image_extractors)

    def options(self, seed: int) -> TrainingOptions:
        """The training options of this setup."""
        return TrainingOptions(
            level=self.level,
            text_extractor=self.text_extractor,
            text_encoder=self.text_encoder,
            image_extractors=tuple(self.image_extractors),
            weights=self.weights,
            seed=seed,
        )

    def photo_reader(self) -> PhotoReader:
        """The shared photo reader, or a new one."""
        return self.reader or make_photo_reader(self.image_extractors, self.weights, FOLD_CACHE_BYTES)

    def with_caches(self) -> SupervisedSetup:
        """A copy with a photo reader and, for a pretrained text extractor, a text cache, which all repeats share."""
        text_cache = self.text_cache or cached_text_extractor(self.options(self.seed))
        return replace(self, reader=self.photo_reader(), text_cache=text_cache)


@dataclass(frozen=True, slots=True)
class SupervisedScore:
    """Figures of the report, and held-out ``probabilities``: float32, (n, categories), means over the repeats.

    Listings that were not judged, or that lack the evidence, have zeros.
    """

    figures: SupervisedFigures
    probabilities: NDArray[np.float32]


def score_supervised(
    examples: Sequence[Example],
    setup: SupervisedSetup,
    *,
    attributes: bool = True,
    progress: Progress = no_progress,
) -> SupervisedScore:
    """Cross-validate on text, photos, or both, with the extractors of the setup; with or without ``attributes``.

    Raises InvalidInput when there are too few listings, Unavailable when the weights of an extractor are missing.
    """
    started = time.perf_counter()
    setup = setup.with_caches()
    example_categories = [category_at_level(example.category, setup.level) for example in examples]
    categories = sorted(set(example_categories))
    label_of_category = {name: label for label, name in enumerate(categories)}
    labels = np.array([label_of_category[name] for name in example_categories], np.int64)
    judged_rows = np.arange(len(labels))
    if len(labels) > MAX_LISTINGS:
        judged_rows = stratified_sample(labels, MAX_LISTINGS, setup.seed)
    folds = min(setup.folds, len(judged_rows) // 2)
    if folds < 2:
        raise InvalidInput(Reason.of(ReasonCode.TOO_FEW_LISTINGS, n=len(judged_rows)))
    predictions = _HeldOutPredictions(label_of_category, setup, len(judged_rows))
    judged_examples, judged_categories = (
        [examples[row] for row in judged_rows.tolist()],
        [example_categories[row] for row in judged_rows.tolist()],
    )
    predictions.collect(judged_examples, judged_categories, folds, progress, attributes=attributes)
    # For a fused model, a listing with neither text nor photo counts as wrong; for one modality, it is not counted.
    counted_mask = np.ones(len(judged_rows), bool) if setup.modality is Modality.FUSED else predictions.usable
    if not counted_mask.any():
        raise InvalidInput(Reason.of(_NOTHING_USABLE[setup.modality]))
    scores = bootstrap_scores(
        labels[judged_rows][counted_mask], predictions.predicted[:, counted_mask], len(categories), setup.seed
    )
    figures = SupervisedFigures(
        extractor=_joined_names(setup.text_extractor, setup.image_extractors),
        modality=setup.modality,
        evidence=_evidence(setup.text_extractor, setup.image_extractors, attributes=attributes),
        accuracy=scores.accuracy,
        macro_f1=scores.macro_f1,
        n=int(counted_mask.sum()),
        folds=folds,
        repeats=setup.repeats,
        seconds=round(time.perf_counter() - started, 3),
        status=TrialStatus.DONE,
        reason=None,
    )
    probabilities = np.zeros((len(labels), len(categories)), np.float64)
    probabilities[judged_rows] = predictions.total
    return SupervisedScore(figures, (probabilities / setup.repeats).astype(np.float32))


class _HeldOutPredictions:
    """Held-out predictions of the listings: probabilities summed over the repeats in ``total``, and predicted labels.

    ``predicted``, shape (repeats, n), has -1 for a listing without the evidence; ``usable``, shape (n,), marks the
    listings that were predicted in any repeat.
    """

    def __init__(self, label_of_category: Mapping[str, int], setup: SupervisedSetup, count: int) -> None:
        self._label_of_category = label_of_category
        self._setup = setup
        self._reader = setup.photo_reader()
        self.total = np.zeros((count, len(label_of_category)), np.float64)
        self.predicted = np.full((setup.repeats, count), -1, np.int64)
        self.usable = np.zeros(count, bool)

    def collect(
        self,
        examples: Sequence[Example],
        categories: Sequence[str],
        folds: int,
        progress: Progress,
        *,
        attributes: bool,
    ) -> None:
        """Cross-validate; folds never separate groups of equal photos or texts."""
        setup, repeats = self._setup, self._setup.repeats
        groups = group_listings(examples, categories, folds)
        examples = examples if attributes else without_attributes(examples)
        for repeat in range(repeats):
            repeat_progress = stage(
                progress, repeat / repeats, (repeat + 1) / repeats, f"round {repeat + 1} of {repeats}, "
            )
            seed = setup.seed + repeat
            fold_ids = assign_folds(categories, groups, folds, seed)
            for fold in models_by_fold(
                examples,
                fold_ids,
                setup.options(seed),
                self._reader,
                text_cache=setup.text_cache,
                progress=repeat_progress,
            ):
                for start in range(0, len(fold.test_indices), _CHUNK):
                    rows = fold.test_indices[start : start + _CHUNK]
                    self._add(repeat, rows, fold.model, [examples[row].evidence for row in rows])

    def _add(self, repeat: int, rows: Labels, model: TrainedModel, evidences: Sequence[Evidence]) -> None:
        scored = model.score(list(self._reader.describe_all(evidences)))
        masks = {Modality.TEXT: scored.has_text, Modality.IMAGE: scored.has_image}
        answered = masks.get(self._setup.modality, scored.has_text | scored.has_image)
        probabilities = np.zeros((len(rows), len(self._label_of_category)))
        probabilities[:, [self._label_of_category[category] for category in model.categories]] = scored.fused
        self.predicted[repeat, rows[answered]] = probabilities[answered].argmax(axis=1)
        self.usable[rows] |= answered
        self.total[rows] += probabilities


def figures_without_result(
    text_extractor: str | None,
    image_extractors: Sequence[str],
    status: TrialStatus,
    reason: Reason | None,
    *,
    attributes: bool,
) -> SupervisedFigures:
    """Empty figures with their status and the reason."""
    return SupervisedFigures(
        extractor=_joined_names(text_extractor, image_extractors),
        modality=_modality(text_extractor, image_extractors),
        evidence=_evidence(text_extractor, image_extractors, attributes=attributes),
        accuracy=None,
        macro_f1=None,
        n=0,
        folds=0,
        repeats=0,
        seconds=0.0,
        status=status,
        reason=reason,
    )


def _joined_names(text_extractor: str | None, image_extractors: Sequence[str]) -> str:
    return "+".join([*([text_extractor] if text_extractor else []), *image_extractors])


def _evidence(text_extractor: str | None, image_extractors: Sequence[str], *, attributes: bool) -> tuple[str, ...]:
    texts = ("name", "description", *(("attributes",) if attributes else ())) if text_extractor else ()
    return (*texts, *(("photo",) if image_extractors else ()))


def _modality(text_extractor: str | None, image_extractors: Sequence[str]) -> Modality:
    if text_extractor and image_extractors:
        return Modality.FUSED
    return Modality.TEXT if text_extractor else Modality.IMAGE


@dataclass(frozen=True, slots=True)
class BootstrapScores:
    """Accuracy and macro F1 with their 95 % intervals."""

    accuracy: Spread
    macro_f1: Spread


def bootstrap_scores(labels: Labels, predicted: Labels, n_categories: int, seed: int = 0) -> BootstrapScores:
    """Scores of ``predicted``, (repeats, n), against ``labels``, (n,); -1 is no prediction and counts as wrong.

    Mean and standard deviation are over the repeats; the interval of the mean is a bootstrap interval (Efron 1979) from
    RESAMPLES resamples of the listings. Macro F1 averages over the categories that occur in the labels.
    """
    rng = np.random.default_rng(seed)
    count = len(labels)
    correct = predicted == labels
    f1_by_repeat = [_macro_f1(labels, repeat_predicted, n_categories, np.ones(count)) for repeat_predicted in predicted]
    resampled_accuracies, resampled_f1 = [], []
    for _ in range(RESAMPLES):
        weights = np.bincount(rng.integers(0, count, count), minlength=count).astype(np.float64)
        resampled_accuracies.append(float((correct @ weights).mean() / count))
        resampled_f1.append(
            float(
                np.mean([_macro_f1(labels, repeat_predicted, n_categories, weights) for repeat_predicted in predicted])
            )
        )
    return BootstrapScores(
        _spread(correct.mean(axis=1).tolist(), resampled_accuracies), _spread(f1_by_repeat, resampled_f1)
    )


def _spread(by_repeat: list[float], resampled: list[float]) -> Spread:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Spread.of(by_repeat, float(low), float(high))


def _macro_f1(labels: Labels, predicted: Labels, n_categories: int, weights: NDArray[np.float64]) -> float:
    answered = predicted >= 0
    true_counts = np.bincount(labels, weights, n_categories)
    predicted_counts = np.bincount(predicted[answered], weights[answered], n_categories)
    correct_counts = np.bincount(labels, weights * (predicted == labels), n_categories)
    present = true_counts > 0
    return float((2 * correct_counts[present] / (true_counts + predicted_counts)[present]).mean())
