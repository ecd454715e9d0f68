"""Training: labelled listings in, a model and its held-out figures out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import cast

import numpy as np
import scipy.linalg  # noqa: F401  # thread limits apply only to libraries that are already loaded
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.classification.category_names import entries_by_category, shared_categories
from pipeline.classification.decision_policy import Thresholds
from pipeline.classification.feature_extraction import CachedTextExtractor
from pipeline.classification.fine_tuning import FineTuningReport, fit_fine_tuned, tunable_network
from pipeline.classification.fusion import ModalityProbabilities, fit_fusion, held_out_fused
from pipeline.classification.grouped_folds import assign_folds
from pipeline.classification.hierarchy_metrics import HierarchyFigures
from pipeline.classification.level_predictions import LevelPredictions, choose_level_thresholds
from pipeline.classification.listing_groups import group_listings
from pipeline.classification.lower_levels_fitting import fit_lower_levels
from pipeline.classification.metrics import HeldOutFigures, PredictedListings, concatenate, predict_categories
from pipeline.classification.modality_fitting import FittedModality, fit_text
from pipeline.classification.network_precision import NetworkRecord, choose_precisions
from pipeline.classification.novelty import MaxScores, choose_floors
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.photo_training import AugmentationReport, fit_image
from pipeline.classification.similar_labels import SimilarLabels, find_similar_labels
from pipeline.classification.targets import LabelledSet, select_labelled, with_canonical_categories
from pipeline.classification.trained_model import ScoredListings, TrainedModel
from pipeline.domain.errors import InvalidInput
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Example
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.taxonomy import CategoryEntry
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import ImageExtractor, Mask, TwoStepExtractor, build_extractor
from pipeline.networks.precision import Precision

FOLDS = 5
TRAINING_CACHE_BYTES = 400_000_000  # descriptors kept between fitting the extractors and using them


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """The training set and the held-out figures: most of a model version's manifest.

    ``level`` is that of the ``figures``. ``hierarchy`` has the figures by level of a model of whole paths, None for
    one of a single level; ``min_level`` is the least useful level. ``groups`` is the number of groups of listings
    of one product, which folds keep together. ``similar`` are pairs of categories that are probably one.
    ``networks`` has a record for each pretrained network. ``augmentation`` and ``fine_tuning`` are None if the
    training did not use them.
    """

    figures: HeldOutFigures
    hierarchy: HierarchyFigures | None
    min_level: int
    thresholds: Thresholds
    level: int
    listings: int
    groups: int
    similar: tuple[SimilarLabels, ...]
    networks: Mapping[str, NetworkRecord]
    fingerprint: str
    augmentation: AugmentationReport | None
    fine_tuning: FineTuningReport | None
    seconds: float

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        deep: JsonObject = {}
        if self.hierarchy is not None:
            deep = {"hierarchy": self.hierarchy.as_json(), "min_level": self.min_level}
        return {
            **self.figures.as_json(),
            **deep,
            "target": self.thresholds.target,
            "thresholds": dict(self.thresholds.by_category),
            "level": self.level,
            "listings": self.listings,
            "groups": self.groups,
            "left_out": {},  # earlier programs left out categories of one listing
            "similar_categories": [asdict(pair) for pair in self.similar],
            "networks": {name: record.as_json() for name, record in self.networks.items()},
            "fingerprint": self.fingerprint,
            "augmentation": self.augmentation.as_json() if self.augmentation else None,
            "finetuning": self.fine_tuning.as_json() if self.fine_tuning else None,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A trained model and its report."""

    model: TrainedModel
    report: TrainingReport


def make_photo_reader(
    image_extractors: Sequence[str],
    weights: Mapping[str, str] | None = None,
    cache_bytes: int = TRAINING_CACHE_BYTES,
    disk_bytes: int = 0,
) -> PhotoReader:
    """A reader with unfitted extractors of these names; Unavailable when the weights of one are missing."""
    return PhotoReader(_unfitted_extractors(image_extractors, weights or {}), cache_bytes, disk_bytes)


def train(
    examples: Sequence[Example],
    options: TrainingOptions,
    *,
    progress: Progress = no_progress,
    reader: PhotoReader | None = None,
    text_cache: CachedTextExtractor | None = None,
    previous: Mapping[str, ImageExtractor] | None = None,
    entries: Sequence[CategoryEntry] = (),
) -> TrainingResult:
    """Fit extractors, estimators, calibration, fusion and thresholds, and measure them on held-out folds.

    ``reader`` and ``text_cache`` let several trainings share what was computed from photos and texts; networks of a
    given ``reader`` keep their precision. Photo extractors that learn from the catalogue continue from the ``previous``
    ones, by name. ``entries`` are the categories of the taxonomy with their texts, which are used beside the names of
    the examples' categories. The same examples and options give the same model. Raises InvalidInput for fewer than two
    categories or without usable texts and photos, Unavailable when weights are missing.
    """
    started = time.perf_counter()
    labelled = select_labelled(examples, options.level)
    groups = group_listings(labelled.examples, labelled.listing_categories, FOLDS)
    folds = assign_folds(labelled.listing_categories, groups, FOLDS, options.seed)
    targets = labelled.targets(folds)
    networks: Mapping[str, NetworkRecord] = {}
    if reader is None:
        unfitted = _unfitted_extractors(options.image_extractors, options.weights)
        choice = choose_precisions(unfitted, labelled, groups, options, _open_reader, progress)
        reader, networks = choice.reader, choice.networks
    text_end = 0.1 if reader.extractors else 0.95
    photo_end = 0.3 if options.fine_tune else 0.95
    # The matrices of a single photo are too small to gain from several threads.
    with threadpool_limits(limits=1):
        evidences = [example.evidence for example in labelled.examples]
        named = entries_by_category(
            labelled.categories, [*map(CategoryEntry, shared_categories(labelled.paths)), *entries]
        )
        text = fit_text(evidences, targets, options, text_cache, stage(progress, 0.02, text_end), named)
        image_fit = fit_image(evidences, targets, reader, options, previous, stage(progress, 0.1, photo_end))
        image, fine_tuning = image_fit.fitted, None
        if options.fine_tune and tunable_network(image.model) is not None:
            tuned = fit_fine_tuned(image, evidences, targets, options.seed, stage(progress, photo_end, 0.95))
            image, fine_tuning = tuned.fitted, tuned.report
            networks = _fine_tuned_records(image) if fine_tuning.kept else networks
        if text.model is None and image.model is None:
            raise InvalidInput("the listings have neither texts nor photos that can be used")
        progress(0.95, "fusing text and photo, choosing thresholds")
        modalities = ModalityProbabilities(text.probabilities, image.probabilities, text.usable, image.usable)
        fusion = fit_fusion(modalities, labelled.labels)
        fused = held_out_fused(modalities, labelled.labels, folds)
        lower = fit_lower_levels(labelled.classes, text.classes, image.classes) if labelled.classes else None
    max_scores = MaxScores(text.max_scores, image.max_scores, text.usable, image.usable)
    scored = ScoredListings(text.probabilities, image.probabilities, fused, max_scores).with_classes(
        lower, text.classes.held_out if text.classes else (), image.classes.held_out if image.classes else ()
    )
    thresholds = _choose_thresholds(labelled, scored, np.ones(len(folds), bool), options.precision_target)
    predictions = _held_out_predictions(labelled, scored, folds, options)
    report = TrainingReport(
        figures=HeldOutFigures.of(predictions),
        hierarchy=HierarchyFigures.of(predictions, folds) if labelled.tree.is_deep else None,
        min_level=options.min_level,
        thresholds=thresholds,
        level=labelled.figures_level,
        listings=len(labelled.examples),
        groups=len(set(groups.tolist())),
        similar=tuple(find_similar_labels(example.category for example in with_canonical_categories(examples))),
        networks={name: record for name, record in networks.items() if image.model and name in image.model.extractors},
        fingerprint=fingerprint(examples),
        augmentation=image_fit.augmentation,
        fine_tuning=fine_tuning,
        seconds=round(time.perf_counter() - started, 3),
    )
    progress(1.0, "trained")
    model = TrainedModel(
        labelled.level,
        labelled.categories,
        text.model,
        image.model,
        fusion,
        thresholds,
        labelled.tree,
        lower,
        options.min_level,
    )
    return TrainingResult(model, report)


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 (hex) of keys, texts, photos and categories, independent of the order of the examples."""
    rows = sorted(
        json.dumps(
            [
                example.key,
                example.category,
                example.evidence.name,
                example.evidence.description,
                sorted(example.evidence.attributes.items()),
                hashlib.sha256(example.evidence.photo).hexdigest() if example.evidence.photo else None,
            ]
        )
        for example in examples
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _unfitted_extractors(names: Sequence[str], weights: Mapping[str, str]) -> dict[str, ImageExtractor]:
    """Photo extractors by name; those that learn nothing from a catalogue are ready to use."""
    extractors = {name: cast(ImageExtractor, build_extractor(name, weights.get(name))) for name in names}
    for extractor in extractors.values():
        if not isinstance(extractor, TwoStepExtractor):
            extractor.fit([])
    return extractors


def _open_reader(extractors: Mapping[str, ImageExtractor]) -> PhotoReader:
    return PhotoReader(extractors, TRAINING_CACHE_BYTES)


def _fine_tuned_records(image: FittedModality) -> dict[str, NetworkRecord]:
    names = image.model.extractors if image.model else {}
    return {name: NetworkRecord(Precision.FP32, "fine-tuned on these listings") for name in names}


def _choose_thresholds(labelled: LabelledSet, scored: ScoredListings, mask: Mask, target: float) -> Thresholds:
    """Thresholds and floors from the held-out scores of the listings in ``mask``, (n,)."""
    tree, selected = labelled.tree, scored.subset(mask)
    truth = np.array(labelled.paths if tree.is_deep else labelled.listing_categories, dtype=np.str_)[mask]
    usable = selected.has_text | selected.has_image
    fused = LevelPredictions.of(tree, selected.class_probabilities(Modality.FUSED), usable)
    categories = [tree.names_at(level) for level in tree.levels]
    thresholds = choose_level_thresholds(fused.subset(usable), truth[usable], target, categories)
    correctly_assigned = {}
    for evidence, modality in (("text", Modality.TEXT), ("image", Modality.IMAGE), ("both", Modality.FUSED)):
        predicted = LevelPredictions.of(tree, selected.class_probabilities(modality), np.ones(len(truth), bool))
        correctly_assigned[evidence] = predicted.answers(thresholds).correct(truth, exact=not tree.is_deep)
    return replace(thresholds, floors=choose_floors(selected.max_scores, correctly_assigned))


def _held_out_predictions(
    labelled: LabelledSet, scored: ScoredListings, folds: NDArray[np.int64], options: TrainingOptions
) -> PredictedListings:
    """Predictions and decisions in the order of the listings; the thresholds of a fold are chosen on the others."""
    parts, order = [], []
    paths = np.array(labelled.paths, dtype=np.str_)
    for fold in np.unique(folds):
        in_fold = folds == fold
        thresholds = _choose_thresholds(labelled, scored, ~in_fold, options.precision_target)
        fold_scores = scored.subset(in_fold)
        parts.append(
            predict_categories(
                paths[in_fold], labelled.figures_level, labelled.tree, fold_scores, thresholds, options.min_level
            )
        )
        order.append(np.flatnonzero(in_fold))
    return concatenate(parts).reorder(np.argsort(np.concatenate(order)))
