"""Evaluation: figures of a model on listings it was not trained on, by cross-validation or on a given split."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.classification.feature_extraction import cached_text_extractor
from pipeline.classification.fold_models import CACHE_BYTES, DISK_BYTES, models_by_fold
from pipeline.classification.grouped_folds import assign_folds, group_listings
from pipeline.classification.metrics import HeldOutFigures, PredictedListings, concatenate, predict_categories
from pipeline.classification.network_precision import with_precision
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.photo_training import AugmentationReport
from pipeline.classification.targets import category_at_level, choose_level
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import fingerprint, make_photo_reader, train
from pipeline.domain.errors import InvalidInput
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Example
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.training import AUTOMATIC_PRECISION, TrainingOptions
from pipeline.networks.precision import Precision, parse_precision

_CHUNK = 256
# Train as the rest of the evaluation does, and predict each listing in order.
Train = Callable[[Sequence[Example], Progress], TrainedModel]
Predict = Callable[[TrainedModel, Sequence[Example]], PredictedListings]


@dataclass(frozen=True, slots=True)
class EvaluationSetting:
    """The data and the model that figures are of; ``fingerprint`` is that of the listings."""

    level: int
    precision: Precision
    options: TrainingOptions
    categories: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class UnknownCategory:
    """A category left out of a training, and the shares of its ``n`` listings assigned all the same, or novel."""

    category: str
    n: int
    assigned: float
    novel: float

    def as_json(self) -> JsonObject:
        """As ``rayon evaluate --json`` has it, where the novel share is called ``strange``."""
        return {"category": self.category, "n": self.n, "assigned": self.assigned, "strange": self.novel}


@dataclass(frozen=True, slots=True)
class OpenSetFigures:
    """The share of ``n`` listings of unknown categories that is assigned all the same, and each category's."""

    n: int
    assigned: float
    categories: tuple[UnknownCategory, ...]

    def as_json(self) -> JsonObject:
        """As ``rayon evaluate --json`` has them."""
        return {"n": self.n, "assigned": self.assigned, "categories": [each.as_json() for each in self.categories]}


@dataclass(frozen=True, slots=True)
class CrossValidationReport:
    """Figures over ``folds``, and on ``unknown`` categories where requested."""

    figures: HeldOutFigures
    setting: EvaluationSetting
    folds: int
    unknown: OpenSetFigures | None
    seconds: float

    def as_json(self) -> JsonObject:
        """As ``rayon evaluate --json`` has it, where unknown categories are called ``strangers``."""
        report = self.figures.as_json()
        if self.unknown is not None:
            report["strangers"] = self.unknown.as_json()
        options = self.setting.options
        return report | {
            "level": self.setting.level,
            "folds": self.folds,
            "seed": options.seed,
            "target": options.precision_target,
            "computing": self.setting.precision.value,
            "categories": list(self.setting.categories),
            "fingerprint": self.setting.fingerprint,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class SplitReport:
    """Figures on one catalogue of a model trained on another, and what augmentation was worth in its training."""

    figures: HeldOutFigures
    setting: EvaluationSetting
    augmentation: AugmentationReport | None
    seconds: float

    def as_json(self) -> JsonObject:
        """As ``rayon evaluate --json`` has it."""
        options = self.setting.options
        return self.figures.as_json() | {
            "computing": self.setting.precision.value,
            "level": self.setting.level,
            "seed": options.seed,
            "target": options.precision_target,
            "categories": list(self.setting.categories),
            "fingerprint": self.setting.fingerprint,
            "augmentation": self.augmentation.as_json() if self.augmentation else None,
            "seconds": self.seconds,
        }


def evaluate(
    examples: Sequence[Example],
    options: TrainingOptions,
    *,
    folds: int = 5,
    unknown_categories: int = 0,
    progress: Progress = no_progress,
) -> CrossValidationReport:
    """Cross-validate: every listing is predicted once, by a model of which every part was fitted on the other folds.

    Listings with equal photos or texts are in the same fold (``group_listings``). Each fold's model keeps augmented
    views or not by its own training listings. Networks compute in the precision that the options name, in fp32 for
    ``auto``; int8 learns the ranges of its maps from photos of any fold, without labels. Up to ``unknown_categories``
    are held out as well, one at a time (see ``evaluate_unknown_categories``).
    """
    if folds < 2:
        raise InvalidInput(f"{folds} folds cannot be compared; take at least 2")
    if len(examples) < 2 * folds:
        raise InvalidInput(f"{len(examples)} listings are too few for {folds} folds; take fewer folds or more listings")
    begun = time.perf_counter()
    precision = _precision(options)
    level = options.level if options.level is not None else choose_level([example.category for example in examples])
    options = replace(options, level=level, embeddings=False)
    names = [category_at_level(example.category, level) for example in examples]
    drawn = draw_categories(names, unknown_categories, options.seed)
    assigned = assign_folds(names, group_listings(examples, names, folds), folds, options.seed)
    disk_bytes = DISK_BYTES if options.augmented_views else 0
    reader = _reader(options, precision, examples, disk_bytes)
    text_cache = cached_text_extractor(options)
    known_share = folds / (folds + len(drawn))
    fold_models = models_by_fold(
        examples, assigned, options, reader, text_cache=text_cache, progress=stage(progress, 0.0, known_share)
    )
    predictions = [_predict(each.model, [examples[index] for index in each.test], reader) for each in fold_models]
    figures = HeldOutFigures.of(concatenate(predictions))
    unknown = None
    if drawn:

        def train_alike(known: Sequence[Example], own_progress: Progress) -> TrainedModel:
            return train(known, options, progress=own_progress, reader=reader, text_cache=text_cache).model

        def predict(model: TrainedModel, listings: Sequence[Example]) -> PredictedListings:
            return _predict(model, listings, reader)

        rest = stage(progress, known_share, 1.0)
        unknown = evaluate_unknown_categories(examples, names, drawn, train_alike, predict, rest)
    setting = EvaluationSetting(level, precision, options, tuple(sorted(set(names))), fingerprint(examples))
    return CrossValidationReport(figures, setting, folds, unknown, round(time.perf_counter() - begun, 3))


def evaluate_split(
    train_examples: Sequence[Example],
    test_examples: Sequence[Example],
    options: TrainingOptions,
    *,
    progress: Progress = no_progress,
) -> SplitReport:
    """Train on one catalogue and score another; int8 learns its ranges from the training photos."""
    if not test_examples:
        raise InvalidInput("there are no labelled listings to score")
    begun = time.perf_counter()
    precision = _precision(options)
    reader = _reader(options, precision, train_examples)
    options = replace(options, embeddings=False)
    trained = train(train_examples, options, progress=stage(progress, 0.0, 0.8), reader=reader)
    progress(0.8, f"scoring {len(test_examples)} listings")
    figures = HeldOutFigures.of(_predict(trained.model, test_examples, reader))
    all_examples = [*train_examples, *test_examples]
    model = trained.model
    setting = EvaluationSetting(model.level, precision, options, model.categories, fingerprint(all_examples))
    progress(1.0, "scored")
    return SplitReport(figures, setting, trained.report.augmentation, round(time.perf_counter() - begun, 3))


def _precision(options: TrainingOptions) -> Precision:
    automatic = options.network_precision == AUTOMATIC_PRECISION
    return Precision.FP32 if automatic else parse_precision(options.network_precision)


def _reader(
    options: TrainingOptions, precision: Precision, examples: Sequence[Example], disk_bytes: int = 0
) -> PhotoReader:
    extractors = make_photo_reader(options.image_extractors, options.weights).extractors
    evidences = [example.evidence for example in examples]
    return PhotoReader(with_precision(precision, extractors, evidences, options.seed), CACHE_BYTES, disk_bytes)


def _predict(model: TrainedModel, listings: Sequence[Example], reader: PhotoReader) -> PredictedListings:
    """Predict the categories of listings, a few at a time."""
    parts = []
    for start in range(0, len(listings), _CHUNK):
        chunk = listings[start : start + _CHUNK]
        scored = model.score(list(reader.describe_all([example.evidence for example in chunk])))
        truth = np.array([category_at_level(example.category, model.level) for example in chunk], dtype=np.str_)
        parts.append(predict_categories(truth.tolist(), model.categories, scored, model.thresholds))
    return concatenate(parts)


def draw_categories(names: Sequence[str], most: int, seed: int) -> list[str]:
    """Draw up to ``most`` of the categories in ``names``; InvalidInput when two others would not be left."""
    known = sorted(set(names))
    if most and len(known) < 3:
        raise InvalidInput(f"{len(known)} categories are too few to keep one from a model; at least 3 are needed")
    return [known[at] for at in sorted(np.random.default_rng(seed).permutation(len(known))[:most].tolist())]


def evaluate_unknown_categories(
    examples: Sequence[Example],
    names: Sequence[str],
    drawn: Sequence[str],
    train: Train,
    predict: Predict,
    progress: Progress,
) -> OpenSetFigures:
    """Open-set evaluation: for each of the ``drawn`` categories, train without it and predict its listings.

    A catalogue that grows brings products of new categories. None of a model's categories is right for them, and no
    held-out figure of known categories says how many are assigned all the same. ``names`` are the categories of all
    examples.
    """
    categories, assigned = [], []
    for at, category in enumerate(drawn):
        known = [example for example, name in zip(examples, names, strict=True) if name != category]
        unknown = [example for example, name in zip(examples, names, strict=True) if name == category]
        own_progress = stage(progress, at / len(drawn), (at + 1) / len(drawn), f"without {category}: ")
        predictions = predict(train(known, own_progress), unknown)
        assigned.append(predictions.assigned)
        shares = float(predictions.assigned.mean()), float(predictions.novel.mean())
        categories.append(UnknownCategory(category, len(unknown), *shares))
    together = np.concatenate(assigned)
    return OpenSetFigures(len(together), float(together.mean()), tuple(categories))
