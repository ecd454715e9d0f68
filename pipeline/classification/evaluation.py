"""Evaluation: metrics of a model on listings it was not trained on, by cross-validation or on a given split."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.feature_extraction import cached_text_extractor
from pipeline.classification.fold_models import models_by_fold
from pipeline.classification.grouped_folds import assign_folds
from pipeline.classification.hierarchy_metrics import HierarchyFigures
from pipeline.classification.listing_groups import group_listings
from pipeline.classification.metrics import HeldOutFigures, PredictedListings, concatenate, predict_categories
from pipeline.classification.network_precision import with_precision
from pipeline.classification.photo_reader import FOLD_CACHE_BYTES, FOLD_DISK_BYTES, PhotoReader
from pipeline.classification.photo_training import AugmentationReport
from pipeline.classification.similar_labels import SimilarLabels, find_similar_labels
from pipeline.classification.targets import category_at_level, choose_level, with_canonical_categories
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import fingerprint, make_photo_reader, train
from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Example
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.training import AUTOMATIC_PRECISION, TrainingOptions
from pipeline.networks.precision import Precision, parse_precision

_CHUNK_SIZE = 256  # listings predicted at a time
# Train with the settings of the evaluation; predict listings in order.
Train = Callable[[Sequence[Example], Progress], TrainedModel]
Predict = Callable[[TrainedModel, Sequence[Example]], PredictedListings]


@dataclass(frozen=True, slots=True)
class EvaluationSetting:
    """The data and model behind the figures; ``fingerprint`` is that of the listings."""

    level: int
    precision: Precision
    options: TrainingOptions
    categories: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class UnknownCategory:
    """A category held out of training: the shares of its ``n`` listings assigned to another, or recognised as novel."""

    category: str
    n: int
    assigned: float
    novel: float

    def as_json(self) -> JsonObject:
        """As printed by ``rayon evaluate --json``, where the novel share is called ``strange``."""
        return {"category": self.category, "n": self.n, "assigned": self.assigned, "strange": self.novel}


@dataclass(frozen=True, slots=True)
class OpenSetFigures:
    """The share of the ``n`` listings of unknown categories that are assigned to others, in all and by category."""

    n: int
    assigned: float
    categories: tuple[UnknownCategory, ...]

    def as_json(self) -> JsonObject:
        """As printed by ``rayon evaluate --json``."""
        return {
            "n": self.n,
            "assigned": self.assigned,
            "categories": [category.as_json() for category in self.categories],
        }


@dataclass(frozen=True, slots=True)
class CrossValidationReport:
    """Figures over all ``folds``, and on ``unknown`` categories if requested.

    ``groups`` is the number of groups of listings of one product, which folds keep together; ``similar`` are pairs of
    categories that are probably one.
    """

    figures: HeldOutFigures
    hierarchy: HierarchyFigures
    setting: EvaluationSetting
    folds: int
    groups: int
    similar: tuple[SimilarLabels, ...]
    unknown: OpenSetFigures | None
    seconds: float

    def as_json(self) -> JsonObject:
        """As printed by ``rayon evaluate --json``, where unknown categories are called ``strangers``."""
        report = self.figures.as_json() | {"hierarchy": self.hierarchy.as_json()}
        if self.unknown is not None:
            report["strangers"] = self.unknown.as_json()
        options = self.setting.options
        return report | {
            "level": self.setting.level,
            "folds": self.folds,
            "groups": self.groups,
            "similar_categories": [asdict(pair) for pair in self.similar],
            "seed": options.seed,
            "target": options.precision_target,
            "computing": self.setting.precision.value,
            "categories": list(self.setting.categories),
            "fingerprint": self.setting.fingerprint,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class SplitReport:
    """Figures on one catalogue of a model trained on another, and the effect of augmentation in its training."""

    figures: HeldOutFigures
    hierarchy: HierarchyFigures
    setting: EvaluationSetting
    augmentation: AugmentationReport | None
    seconds: float

    def as_json(self) -> JsonObject:
        """As printed by ``rayon evaluate --json``."""
        options = self.setting.options
        return self.figures.as_json() | {
            "hierarchy": self.hierarchy.as_json(),
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
    """Cross-validate: every listing is predicted once, by a model fitted entirely on the other folds.

    Listings with equal photos or texts are in the same fold (``group_listings``). Each fold's model decides
    by its own training listings whether to keep augmented views. Networks compute in the precision that the options
    name, in fp32 for ``auto``; int8 learns its activation ranges from photos of any fold, without labels. Up to
    ``unknown_categories`` are held out as well, one at a time (see ``evaluate_unknown_categories``).
    """
    if folds < 2:
        raise InvalidInput(f"{folds} folds are too few to cross-validate; take at least 2")
    if len(examples) < 2 * folds:
        raise InvalidInput(f"{len(examples)} listings are too few for {folds} folds; take fewer folds or more listings")
    started = time.perf_counter()
    precision = _precision(options)
    examples = with_canonical_categories(examples)
    level = options.level if options.level is not None else choose_level([example.category for example in examples])
    options = replace(options, embeddings=False)
    names = [category_at_level(example.category, level) for example in examples]
    held_out_categories = draw_categories(names, unknown_categories, options.seed)
    groups = group_listings(examples, names, folds)
    fold_of_listing = assign_folds(names, groups, folds, options.seed)
    disk_bytes = FOLD_DISK_BYTES if options.augmented_views else 0
    reader = _open_reader(options, precision, examples, disk_bytes)
    text_cache = cached_text_extractor(options)
    known_share = folds / (folds + len(held_out_categories))
    fold_models = models_by_fold(
        examples, fold_of_listing, options, reader, text_cache=text_cache, progress=stage(progress, 0.0, known_share)
    )
    predictions = [
        _predict(fold.model, level, [examples[index] for index in fold.test_indices], reader) for fold in fold_models
    ]
    all_predictions, fold_ids = concatenate(predictions), np.repeat(*_fold_sizes(predictions))
    figures = HeldOutFigures.of(all_predictions)
    unknown = None
    if held_out_categories:

        def train_without(known: Sequence[Example], training_progress: Progress) -> TrainedModel:
            return train(known, options, progress=training_progress, reader=reader, text_cache=text_cache).model

        def predict(model: TrainedModel, listings: Sequence[Example]) -> PredictedListings:
            return _predict(model, level, listings, reader)

        unknown_progress = stage(progress, known_share, 1.0)
        unknown = evaluate_unknown_categories(
            examples, names, held_out_categories, train_without, predict, unknown_progress
        )
    setting = EvaluationSetting(level, precision, options, tuple(sorted(set(names))), fingerprint(examples))
    similar = tuple(find_similar_labels(example.category for example in examples))
    seconds = round(time.perf_counter() - started, 3)
    return CrossValidationReport(
        figures=figures,
        hierarchy=HierarchyFigures.of(all_predictions, fold_ids),
        setting=setting,
        folds=folds,
        groups=len(set(groups.tolist())),
        similar=similar,
        unknown=unknown,
        seconds=seconds,
    )


def evaluate_split(
    train_examples: Sequence[Example],
    test_examples: Sequence[Example],
    options: TrainingOptions,
    *,
    progress: Progress = no_progress,
) -> SplitReport:
    """Train on one catalogue and score another; int8 learns its activation ranges from the training photos."""
    if not test_examples:
        raise InvalidInput("there are no labelled listings to score")
    started = time.perf_counter()
    precision = _precision(options)
    canonical = with_canonical_categories([*train_examples, *test_examples])
    train_examples, test_examples = canonical[: len(train_examples)], canonical[len(train_examples) :]
    reader = _open_reader(options, precision, train_examples)
    options = replace(options, embeddings=False)
    trained = train(train_examples, options, progress=stage(progress, 0.0, 0.8), reader=reader)
    progress(0.8, f"scoring {len(test_examples)} listings")
    model = trained.model
    level = trained.report.level
    predictions = _predict(model, level, test_examples, reader)
    all_examples = [*train_examples, *test_examples]
    categories = tuple(model.tree.groups(level).names.tolist())
    setting = EvaluationSetting(level, precision, options, categories, fingerprint(all_examples))
    progress(1.0, "scored")
    return SplitReport(
        figures=HeldOutFigures.of(predictions),
        hierarchy=HierarchyFigures.of(predictions),
        setting=setting,
        augmentation=trained.report.augmentation,
        seconds=round(time.perf_counter() - started, 3),
    )


def _precision(options: TrainingOptions) -> Precision:
    automatic = options.network_precision == AUTOMATIC_PRECISION
    return Precision.FP32 if automatic else parse_precision(options.network_precision)


def _open_reader(
    options: TrainingOptions, precision: Precision, examples: Sequence[Example], disk_bytes: int = 0
) -> PhotoReader:
    extractors = make_photo_reader(options.image_extractors, options.weights).extractors
    evidences = [example.evidence for example in examples]
    return PhotoReader(with_precision(precision, extractors, evidences, options.seed), FOLD_CACHE_BYTES, disk_bytes)


def _fold_sizes(predictions: Sequence[PredictedListings]) -> tuple[NDArray[np.int64], list[int]]:
    return np.arange(len(predictions)), [len(part.truth) for part in predictions]


def _predict(model: TrainedModel, level: int, listings: Sequence[Example], reader: PhotoReader) -> PredictedListings:
    """Predict the categories of listings, at ``level`` and as deep as is sure, a few at a time."""
    parts = []
    for start in range(0, len(listings), _CHUNK_SIZE):
        chunk = listings[start : start + _CHUNK_SIZE]
        scored = model.score(list(reader.describe_all([example.evidence for example in chunk])))
        paths = [str(Category.parse(example.category)) for example in chunk]
        parts.append(predict_categories(paths, level, model.tree, scored, model.thresholds, model.min_level))
    return concatenate(parts)


def draw_categories(names: Sequence[str], max_categories: int, seed: int) -> list[str]:
    """Draw up to ``max_categories`` of the categories in ``names``; InvalidInput when there are fewer than three."""
    known = sorted(set(names))
    if max_categories and len(known) < 3:
        raise InvalidInput(f"{len(known)} categories are too few to hold one out; at least 3 are needed")
    return [
        known[index] for index in sorted(np.random.default_rng(seed).permutation(len(known))[:max_categories].tolist())
    ]


def evaluate_unknown_categories(
    examples: Sequence[Example],
    names: Sequence[str],
    held_out_categories: Sequence[str],
    train: Train,
    predict: Predict,
    progress: Progress,
) -> OpenSetFigures:
    """Open-set evaluation: for each of the ``held_out_categories``, train without it and predict its listings.

    A growing catalogue brings products of new categories. No category of the model is correct for them, and the figures
    on known categories do not show how many of them are assigned anyway. ``names`` are the categories of all examples.
    """
    categories, assigned = [], []
    n_held_out = len(held_out_categories)
    for index, category in enumerate(held_out_categories):
        known = [example for example, name in zip(examples, names, strict=True) if name != category]
        unknown = [example for example, name in zip(examples, names, strict=True) if name == category]
        category_progress = stage(progress, index / n_held_out, (index + 1) / n_held_out, f"without {category}: ")
        predictions = predict(train(known, category_progress), unknown)
        # An answer above the level of the unknown category may be right.
        assigned.append(predictions.assigned & ~predictions.correct)
        shares = float(assigned[-1].mean()), float(predictions.novel.mean())
        categories.append(UnknownCategory(category, len(unknown), *shares))
    all_assigned = np.concatenate(assigned)
    return OpenSetFigures(len(all_assigned), float(all_assigned.mean()), tuple(categories))
