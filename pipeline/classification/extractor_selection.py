"""Extractor selection: accuracy of sets of photo extractors on the same folds, and their time for a photo."""

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
from pipeline.classification.fold_models import CACHE_BYTES, DISK_BYTES
from pipeline.classification.grouped_folds import assign_folds, group_listings
from pipeline.classification.metrics import Interval, accuracy_interval
from pipeline.classification.modality_model import ModalityModel
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.photo_training import AugmentedFeatures, extract_augmented_features, fit_augmented
from pipeline.classification.targets import LabelledSet, Targets, select_labelled
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
    """One set of extractors: its held-out ``accuracy`` on the ``n`` photos that could be read, and what it costs.

    ``milliseconds`` are from the bytes of a photo to its categories, the median of TIMED_PHOTOS, one at a time;
    ``size`` is that of the image model, in bytes.
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


def choose_set(results: Sequence[SetResult], wish: str) -> SetResult:
    """The ``fastest``, the ``best``, or the best within a number of milliseconds a photo.

    InvalidInput for any other wish, and when no set is fast enough.
    """
    by_accuracy = sorted(results, key=lambda each: (-each.accuracy.mean, each.milliseconds))
    if wish == BEST:
        return by_accuracy[0]
    fastest = min(results, key=lambda each: each.milliseconds)
    if wish == FASTEST:
        return fastest
    budget = parse_budget(wish)
    within = [each for each in by_accuracy if each.milliseconds <= budget]
    if not within:
        name = " + ".join(fastest.extractors)
        raise InvalidInput(
            f"no set of photo extractors takes at most {budget:g} ms a photo here; "
            f"the fastest, {name}, takes {fastest.milliseconds:.1f}"
        )
    return within[0]


def parse_budget(wish: str) -> float:
    """The milliseconds that a wish names; InvalidInput when it is not a number above 0."""
    try:
        budget = float(wish)
    except ValueError:
        budget = 0.0
    if not 0 < budget < float("inf"):
        raise InvalidInput(f"'{wish}' is no choice: say {FASTEST}, {BEST}, or a number of milliseconds a photo")
    return budget


def compare_sets(
    examples: Sequence[Example],
    sets: Sequence[ExtractorSet],
    options: TrainingOptions,
    *,
    folds: int = FOLDS,
    progress: Progress = no_progress,
) -> list[SetResult]:
    """Cross-validate each set on the same grouped folds; what several sets share is computed once a fold.

    Raises InvalidInput when there are too few photos, Unavailable when an extractor lacks its weights.
    """
    labelled = select_labelled(examples, options.level)
    groups = group_listings(labelled.examples, labelled.names, folds)
    assigned = assign_folds(labelled.names, groups, folds, options.seed)
    names = list(dict.fromkeys(name for each in sets for name in each))
    reader = make_photo_reader(names, options.weights, CACHE_BYTES, DISK_BYTES)
    right = {each: np.zeros(len(labelled.labels), bool) for each in sets}
    readable = np.zeros(len(labelled.labels), bool)
    models: dict[ExtractorSet, ModalityModel] = {}
    numbers = np.unique(assigned)
    with threadpool_limits(limits=1):
        for at, number in enumerate(numbers):
            prefix = f"fold {at + 1} of {len(numbers)}: "
            fold_progress = stage(progress, at / len(numbers), (at + 1) / len(numbers), prefix)
            train, test = np.flatnonzero(assigned != number), np.flatnonzero(assigned == number)
            fold = _extract_fold(labelled, train, test, reader, options, stage(fold_progress, 0.0, 0.6))
            readable[test] = fold.test.usable
            targets = _training_targets(labelled, train, groups, options.seed)
            for index, each in enumerate(sets):
                fold_progress(0.6 + 0.4 * index / len(sets), f"learning from {' + '.join(each)}")
                models[each] = fold.fit(each, targets, options.seed)
                predicted = models[each].probabilities(fold.test.of_extractors(each)).argmax(axis=1)
                right[each][test] = predicted == labelled.labels[test]
        progress(1.0, "measuring what a photo costs")
        timed = [labelled.examples[int(i)].evidence for i in np.flatnonzero(readable)[:TIMED_PHOTOS]]
        return [
            SetResult(
                each,
                accuracy_interval(right[each][readable], options.seed),
                int(readable.sum()),
                _milliseconds(model, timed),
                sum(len(content) for content in model.files("part").values()),
            )
            for each, model in models.items()
        ]


@dataclass(frozen=True, slots=True)
class _Fold:
    """Extractors fitted on the training photos, the features of these and of their views, and of the test photos."""

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
            raise InvalidInput("too few categories have photos to tell them apart by")
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
    unseen = [labelled.examples[int(i)].evidence for i in test]
    test_features = extract_photo_features(extractors, unseen, reader, stage(progress, 0.92, 1.0))
    return _Fold(extractors, features, augmented, test_features)


def _training_targets(labelled: LabelledSet, train: NDArray[np.int64], groups: NDArray[np.int64], seed: int) -> Targets:
    """The targets of the training listings, with folds of their own."""
    folds = assign_folds([labelled.names[i] for i in train], groups[train], FOLDS, seed)
    paths = [labelled.examples[i].category for i in train]
    return Targets.from_paths(paths, labelled.labels[train], len(labelled.categories), folds, labelled.level)


def _milliseconds(model: ModalityModel, evidences: Sequence[Evidence]) -> float:
    """The median time to predict a photo, one at a time, after one to warm up."""
    reader = PhotoReader(cast(Mapping[str, ImageExtractor], model.extractors))
    spent = []
    for evidence in [*evidences[:1], *evidences]:
        begun = time.perf_counter()
        model.probabilities(photo_features(model.extractors, [reader.describe(evidence)]))
        spent.append(time.perf_counter() - begun)
    return round(1000 * float(np.median(spent[1:])), 3)
