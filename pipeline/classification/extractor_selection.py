"""Extractor selection: compare sets of photo extractors by accuracy, on the same folds, and by time per photo."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.classification.evidence_views import EvidenceFeatures, Extractors, photo_features
from pipeline.classification.feature_extraction import extract_photo_features, fit_photo_extractors
from pipeline.classification.grouped_folds import assign_folds
from pipeline.classification.listing_groups import group_listings
from pipeline.classification.metrics import Interval, accuracy_interval
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.photo_reader import FOLD_CACHE_BYTES, FOLD_DISK_BYTES, PhotoReader
from pipeline.classification.photo_training import AugmentedFeatures, extract_augmented_features, fit_augmented
from pipeline.classification.targets import LabelledSet, Targets, choose_level, select_labelled
from pipeline.classification.training import FOLDS, make_photo_reader
from pipeline.domain.errors import InvalidInput
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.training import PHOTO_EXTRACTOR, TrainingOptions
from pipeline.features.extractor import ImageExtractor

FASTEST, BEST = "fastest", "best"
TIMED_PHOTOS = 24
ExtractorSet = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetResult:
    """One set of extractors: its held-out ``accuracy`` on the ``n`` photos that could be read, and its cost.

    ``milliseconds``: from the bytes of a photo to its categories, the median over TIMED_PHOTOS, one at a time.
    ``size``: of the image model, in bytes.
    """

    extractors: ExtractorSet
    accuracy: Interval
    n: int
    milliseconds: float
    size: int

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {
            "extractors": list(self.extractors),
            "accuracy": self.accuracy.as_json(),
            "n": self.n,
            "milliseconds": self.milliseconds,
            "size": self.size,
        }


def candidate_sets(available: Sequence[str]) -> list[ExtractorSet]:
    """The sets to compare: the built-in extractor, each network, each with the built-in one, and all together."""
    networks = [name for name in available if extractor_spec(name).takes_weights]
    with_built_in = [(PHOTO_EXTRACTOR, name) for name in networks]
    sets: list[ExtractorSet] = [(PHOTO_EXTRACTOR,), *((name,) for name in networks), *with_built_in]
    return sets if len(networks) < 2 else [*sets, (PHOTO_EXTRACTOR, *networks)]


def choose_set(results: Sequence[SetResult], selection: str) -> SetResult:
    """Choose the ``fastest`` set, the ``best``, or the best within a number of milliseconds per photo.

    InvalidInput for any other selection, and when no set is fast enough.
    """
    by_accuracy = sorted(results, key=lambda result: (-result.accuracy.mean, result.milliseconds))
    if selection == BEST:
        return by_accuracy[0]
    fastest = min(results, key=lambda result: result.milliseconds)
    if selection == FASTEST:
        return fastest
    budget = parse_budget(selection)
    affordable = [result for result in by_accuracy if result.milliseconds <= budget]
    if not affordable:
        name = " + ".join(fastest.extractors)
        raise InvalidInput(
            f"no set of photo extractors takes at most {budget:g} ms per photo here; "
            f"the fastest, {name}, takes {fastest.milliseconds:.1f}"
        )
    return affordable[0]


def parse_budget(selection: str) -> float:
    """The milliseconds per photo that a selection names; InvalidInput unless it is a number above 0."""
    try:
        budget = float(selection)
    except ValueError:
        budget = 0.0
    if not 0 < budget < float("inf"):
        raise InvalidInput(
            f"'{selection}' is not a valid choice: give {FASTEST}, {BEST}, or a number of milliseconds per photo"
        )
    return budget


def compare_sets(
    examples: Sequence[Example],
    sets: Sequence[ExtractorSet],
    options: TrainingOptions,
    *,
    folds: int = FOLDS,
    progress: Progress = no_progress,
) -> list[SetResult]:
    """Cross-validate each set on the same grouped folds; what several sets share is computed once per fold.

    Raises InvalidInput when there are too few photos, Unavailable when the weights of an extractor are missing.
    """
    level = options.level if options.level is not None else choose_level([example.category for example in examples])
    labelled = select_labelled(examples, level)
    groups = group_listings(labelled.examples, labelled.listing_categories, folds)
    fold_of_listing = assign_folds(labelled.listing_categories, groups, folds, options.seed)
    names = list(dict.fromkeys(name for extractor_set in sets for name in extractor_set))
    reader = make_photo_reader(names, options.weights, FOLD_CACHE_BYTES, FOLD_DISK_BYTES)
    correct = {extractor_set: np.zeros(len(labelled.labels), bool) for extractor_set in sets}
    readable = np.zeros(len(labelled.labels), bool)
    models: dict[ExtractorSet, ModalityModel] = {}
    fold_ids = np.unique(fold_of_listing)
    with threadpool_limits(limits=1):
        for fold_index, fold_id in enumerate(fold_ids):
            prefix = f"fold {fold_index + 1} of {len(fold_ids)}: "
            fold_progress = stage(progress, fold_index / len(fold_ids), (fold_index + 1) / len(fold_ids), prefix)
            train, test = np.flatnonzero(fold_of_listing != fold_id), np.flatnonzero(fold_of_listing == fold_id)
            fold = _extract_fold(labelled, train, test, reader, options, stage(fold_progress, 0.0, 0.6))
            readable[test] = fold.test.usable
            targets = _training_targets(labelled, train, groups, options.seed)
            for set_index, extractor_set in enumerate(sets):
                fold_progress(0.6 + 0.4 * set_index / len(sets), f"learning from {' + '.join(extractor_set)}")
                models[extractor_set] = fold.fit(extractor_set, targets, options.seed)
                test_features = fold.test.of_extractors(extractor_set)
                predicted = models[extractor_set].probabilities(test_features).argmax(axis=1)
                correct[extractor_set][test] = predicted == labelled.labels[test]
        progress(1.0, "measuring the time per photo")
        timed_evidences = [labelled.examples[int(i)].evidence for i in np.flatnonzero(readable)[:TIMED_PHOTOS]]
        return [
            SetResult(
                extractor_set,
                accuracy_interval(correct[extractor_set][readable], options.seed),
                int(readable.sum()),
                _milliseconds(model, timed_evidences),
                sum(len(content) for content in model.files("part").values()),
            )
            for extractor_set, model in models.items()
        ]


@dataclass(frozen=True, slots=True)
class _Fold:
    """Extractors fitted on the training photos; features of these, of their augmented views, of test photos."""

    extractors: Extractors
    train: EvidenceFeatures
    augmented: AugmentedFeatures
    test: EvidenceFeatures

    def fit(self, names: ExtractorSet, targets: Targets, seed: int) -> ModalityModel:
        """The model of one set of the extractors."""
        extractors = {name: self.extractors[name] for name in names}
        train, augmented = self.train.of_extractors(names), self.augmented.of_extractors(names)
        model = fit_augmented(extractors, train, augmented, targets, seed).fitted.model
        if model is None:
            raise InvalidInput("too few categories have photos to learn from")
        return model


def _extract_fold(
    labelled: LabelledSet,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    reader: PhotoReader,
    options: TrainingOptions,
    progress: Progress,
) -> _Fold:
    evidences = [labelled.examples[int(i)].evidence for i in train]
    extractors = fit_photo_extractors(evidences, reader, options.seed, stage(progress, 0.0, 0.33))
    if extractors is None:
        raise InvalidInput("too few listings have a photo that can be read; photo extractors cannot be compared")
    features = extract_photo_features(extractors, evidences, reader, stage(progress, 0.33, 0.5))
    augmented = extract_augmented_features(extractors, evidences, features, reader, options, stage(progress, 0.5, 0.92))
    test_evidences = [labelled.examples[int(i)].evidence for i in test]
    test_features = extract_photo_features(extractors, test_evidences, reader, stage(progress, 0.92, 1.0))
    return _Fold(extractors, features, augmented, test_features)


def _training_targets(labelled: LabelledSet, train: NDArray[np.int64], groups: NDArray[np.int64], seed: int) -> Targets:
    """The targets of the training listings, divided into folds again."""
    folds = assign_folds([labelled.listing_categories[i] for i in train], groups[train], FOLDS, seed)
    paths = [labelled.examples[i].category for i in train]
    return Targets.from_paths(paths, labelled.labels[train], len(labelled.categories), folds, labelled.level)


def _milliseconds(model: ModalityModel, evidences: Sequence[Evidence]) -> float:
    """The median time to predict one photo at a time, after a warm-up."""
    reader = PhotoReader(cast(Mapping[str, ImageExtractor], model.extractors))
    seconds = []
    for evidence in [*evidences[:1], *evidences]:
        started = time.perf_counter()
        model.probabilities(photo_features(model.extractors, [reader.describe(evidence)]))
        seconds.append(time.perf_counter() - started)
    return round(1000 * float(np.median(seconds[1:])), 3)
