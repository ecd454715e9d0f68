"""The learning curve: accuracy of text, photos and both by the number of labelled listings per category.

One fold (a fifth of the listings, by default) is held out in each repeat. Extractors are fitted once on all other
listings, since they need no labels; estimators, calibration and fusion only see the labelled ones. The labelled
listings of a size include those of the smaller sizes. Without a label, texts are compared with the names of the
categories, which takes a pretrained encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.classification.category_names import entries_by_category, mean_vector, name_vectors, shared_categories
from pipeline.classification.evidence_views import EvidenceFeatures, Extractors, View, text_features
from pipeline.classification.feature_extraction import (
    extract_photo_features,
    extract_text_features,
    find_text_encoder,
    fit_photo_extractors,
    fit_text_extractor,
)
from pipeline.classification.fusion import ModalityProbabilities, fit_fusion, fuse
from pipeline.classification.grouped_folds import assign_folds
from pipeline.classification.listing_groups import group_listings
from pipeline.classification.modality_fitting import empty_fit, fit_modality
from pipeline.classification.photo_training import AugmentedFeatures, fit_augmented
from pipeline.classification.targets import Targets, category_at_level
from pipeline.classification.text_encoder import TextEncoder
from pipeline.classification.training import FOLDS
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import Spread
from pipeline.domain.study_report import LearningCurvePoint
from pipeline.domain.taxonomy import CategoryEntry
from pipeline.features.extractor import Floats, Mask
from pipeline.study.sampling import stratified_sample
from pipeline.study.supervised_scores import SupervisedSetup

SIZES = (0, 1, 3, 5, 10, 20, 50, 100, 200, 500, 1_000)
MAX_LISTINGS = 4_000  # of more listings a stratified sample is used
_FITTING_SHARE = 0.6  # approximate share of a repeat's time that fitting the extractors takes
NO_VIEWS = AugmentedFeatures({}, np.zeros(0, np.int64))
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Split:
    """The split of one repeat: ascending indices of the listings to learn from (``pool``) and to test on (``test``)."""

    pool: Labels
    test: Labels
    seed: int


@dataclass(frozen=True, slots=True)
class _ExtractorFit:
    """Extractors of one modality, fitted on the pool, and the features of the pool and of the test listings.

    ``encoder`` reads the texts as well, ``names`` (categories, d) are the vectors of the categories' names.
    """

    extractors: Extractors
    pool: EvidenceFeatures
    test: EvidenceFeatures
    encoder: TextEncoder | None = None
    names: Floats | None = None

    def correct_by_names(self, test_labels: Labels) -> Mask | None:
        """Whether each usable test listing is nearest to the name of its category; None without names."""
        view = next((view for view in (View.WORDS, View.WHOLE) if view in self.test.encoded), None)
        if self.names is None or view is None:
            return None
        similarities = (self.test.encoded[view] - mean_vector(self.pool.encoded[view])) @ self.names.T
        correct: Mask = similarities.argmax(axis=1) == test_labels
        return correct & self.test.has[view]


@dataclass(slots=True)
class _LabelledExamples:
    """Examples (a sample, if there are too many) with their categories, and the groups that folds must not separate.

    ``names`` are the categories of the examples at the study's level, ``categories`` the distinct ones, sorted.
    """

    examples: Sequence[Example]
    setup: SupervisedSetup
    names: list[str] = field(init=False)
    categories: list[str] = field(init=False)
    labels: Labels = field(init=False)
    groups: NDArray[np.int64] = field(init=False)
    folds: int = field(init=False)
    entries: Sequence[Sequence[CategoryEntry]] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [category_at_level(example.category, self.setup.level) for example in self.examples]
        self.categories = sorted(set(self.names))
        shared = shared_categories([example.category for example in self.examples])
        self.entries = entries_by_category(self.categories, [CategoryEntry(path) for path in shared])
        self.labels = np.array([self.categories.index(name) for name in self.names], np.int64)
        if len(self.labels) > MAX_LISTINGS:
            sample = stratified_sample(self.labels, MAX_LISTINGS, self.setup.seed)
            self.examples, self.names = [self.examples[row] for row in sample], [self.names[row] for row in sample]
            self.labels = self.labels[sample]
        self.folds = max(2, min(self.setup.folds, len(self.labels) // 2))
        self.groups = group_listings(self.examples, self.names, self.folds)

    def split(self, repeat: int) -> _Split:
        """The split of a repeat: the first fold is the test set."""
        seed = self.setup.seed + repeat
        held_out = assign_folds(self.names, self.groups, self.folds, seed) == 0
        return _Split(np.flatnonzero(~held_out), np.flatnonzero(held_out), seed)

    def targets(self, rows: Labels) -> Targets:
        """The training targets of some of the examples."""
        inner_folds = assign_folds([self.names[row] for row in rows], self.groups[rows], FOLDS, self.setup.seed)
        paths = [self.examples[row].category for row in rows]
        return Targets.from_paths(paths, self.labels[rows], len(self.categories), inner_folds, self.setup.level)


def learning_curve(
    examples: Sequence[Example],
    setup: SupervisedSetup,
    sizes: Sequence[int] | None = None,
    progress: Progress = no_progress,
) -> tuple[LearningCurvePoint, ...]:
    """The points by modality and size; the largest size, with all listings labelled, is the median category count.

    With ``sizes`` it has these only, as far as the median category has as many listings.
    Accuracy is on the held-out listings that have the evidence, for ``fused`` on all of them; the interval is from the
    minimum to the maximum over the repeats.
    """
    setup = setup.with_caches()
    dataset = _LabelledExamples(examples, setup)
    accuracies_by_point: dict[tuple[Modality, int], list[float]] = {}
    with threadpool_limits(limits=1):
        for repeat in range(setup.repeats):
            share = 1 / setup.repeats
            repeat_progress = stage(
                progress, repeat * share, (repeat + 1) * share, f"round {repeat + 1} of {setup.repeats}: "
            )
            split = dataset.split(repeat)
            fits_by_modality = _fit_extractors(dataset, split, stage(repeat_progress, 0, _FITTING_SHARE))
            for modality, accuracy in _accuracies_by_names(fits_by_modality, dataset, split, sizes).items():
                accuracies_by_point.setdefault((modality, 0), []).append(accuracy)
            for size, rows in _sizes(dataset, split, sizes, stage(repeat_progress, _FITTING_SHARE, 1)):
                targets = dataset.targets(split.pool[rows])
                for modality, accuracy in _accuracies(
                    fits_by_modality, rows, targets, dataset.labels[split.test], split.seed
                ).items():
                    accuracies_by_point.setdefault((modality, size), []).append(accuracy)
    return tuple(
        LearningCurvePoint(modality, size, Spread.of(accuracies_by_point[modality, size]))
        for modality in Modality
        for size in sorted(size for point_modality, size in accuracies_by_point if point_modality is modality)
    )


def _fit_extractors(dataset: _LabelledExamples, split: _Split, progress: Progress) -> dict[Modality, _ExtractorFit]:
    """Fit the extractors of each modality on the pool; modalities without evidence are left out."""
    setup, reader = dataset.setup, dataset.setup.photo_reader()
    pool_evidences = [dataset.examples[row].evidence for row in split.pool]
    test_evidences = [dataset.examples[row].evidence for row in split.test]
    fits = {}
    text_extractor = fit_text_extractor(pool_evidences, setup.options(split.seed), setup.text_cache)
    if text_extractor is not None:
        encoder = find_text_encoder(setup.options(split.seed), setup.text_cache)
        features = extract_text_features(text_extractor, pool_evidences, dataset.labels[split.pool], encoder)
        test_features = text_features(
            text_extractor,
            test_evidences,
            split=len(features.has) > 1,
            encoder=encoder.extractor if encoder else None,
            encoded_views=tuple(features.encoded),
        )
        names = name_vectors(encoder.extractor, dataset.entries) if encoder else None
        fits[Modality.TEXT] = _ExtractorFit(text_extractor, features, test_features, encoder, names)
    photo_extractors = fit_photo_extractors(pool_evidences, reader, split.seed, stage(progress, 0, 0.5))
    if photo_extractors is not None:
        features = extract_photo_features(photo_extractors, pool_evidences, reader, stage(progress, 0.5, 0.9))
        fits[Modality.IMAGE] = _ExtractorFit(
            photo_extractors, features, extract_photo_features(photo_extractors, test_evidences, reader, no_progress)
        )
    if not fits:
        raise InvalidInput(Reason.of(ReasonCode.NOTHING_USABLE))
    return fits


def _accuracies_by_names(
    fits_by_modality: Mapping[Modality, _ExtractorFit],
    dataset: _LabelledExamples,
    split: _Split,
    sizes: Sequence[int] | None,
) -> dict[Modality, float]:
    """Accuracy without a label, by the names of the categories: of texts, and of all listings."""
    fit = fits_by_modality.get(Modality.TEXT)
    correct = fit.correct_by_names(dataset.labels[split.test]) if fit is not None else None
    if fit is None or correct is None or 0 not in (sizes or SIZES) or not fit.test.usable.any():
        return {}
    accuracies = {Modality.TEXT: float(correct[fit.test.usable].mean())}
    return accuracies | ({Modality.FUSED: float(correct.mean())} if len(fits_by_modality) > 1 else {})


def _sizes(
    dataset: _LabelledExamples, split: _Split, wanted: Sequence[int] | None, progress: Progress
) -> Iterator[tuple[int, Labels]]:
    """Each size of the curve, with the rows of the pool that are labelled at this size."""
    labels = dataset.labels[split.pool]
    ranks_in_category = _ranks(labels, split.seed)
    largest_size = int(np.median(np.bincount(labels, minlength=len(dataset.categories))))
    sizes = [size for size in sorted(set(wanted or SIZES)) if 0 < size < largest_size]
    sizes += [largest_size] if wanted is None or largest_size in wanted else []
    for index, size in enumerate(sizes):
        progress(index / len(sizes), f"learning from {size} per category")
        rows = np.arange(len(labels)) if size == largest_size else np.flatnonzero(ranks_in_category < size)
        if len(np.unique(labels[rows])) > 1:
            yield size, rows


def _accuracies(
    fits_by_modality: Mapping[Modality, _ExtractorFit], rows: Labels, targets: Targets, test_labels: Labels, seed: int
) -> dict[Modality, float]:
    """Accuracy per modality on the test listings of estimators trained on ``rows`` of the pool."""
    n_categories = targets.n_categories
    estimator_fits = dict.fromkeys((Modality.TEXT, Modality.IMAGE), empty_fit(len(rows), n_categories))
    test_probabilities: dict[Modality, Floats] = {
        modality: np.zeros((len(test_labels), n_categories), np.float32) for modality in estimator_fits
    }
    has_evidence = {modality: np.zeros(len(test_labels), bool) for modality in estimator_fits}
    accuracies = {}
    for modality, fit in fits_by_modality.items():
        labelled = fit.pool.subset(rows)
        estimator_fits[modality] = (
            fit_augmented(fit.extractors, labelled, NO_VIEWS, targets, seed).fitted
            if modality is Modality.IMAGE
            else fit_modality(
                fit.extractors, labelled, targets.without_subcategories(), encoder=fit.encoder, names=fit.names
            )
        )
        model = estimator_fits[modality].model
        if model is not None and fit.test.usable.any():
            test_probabilities[modality], has_evidence[modality] = model.probabilities(fit.test), fit.test.usable
            correct = test_probabilities[modality].argmax(axis=1) == test_labels
            accuracies[modality] = float(correct[fit.test.usable].mean())
    if len(fits_by_modality) > 1:
        text, image = estimator_fits[Modality.TEXT], estimator_fits[Modality.IMAGE]
        training_probabilities = ModalityProbabilities(
            text.probabilities, image.probabilities, text.usable, image.usable
        )
        has_text, has_image = has_evidence[Modality.TEXT], has_evidence[Modality.IMAGE]
        held_out_probabilities = ModalityProbabilities(
            test_probabilities[Modality.TEXT], test_probabilities[Modality.IMAGE], has_text, has_image
        )
        fused = fuse(fit_fusion(training_probabilities, targets.labels), held_out_probabilities)
        accuracies[Modality.FUSED] = float(((fused.argmax(axis=1) == test_labels) & (has_text | has_image)).mean())
    return accuracies


def _ranks(labels: Labels, seed: int) -> Labels:
    """The rank of each listing in a random order of the listings of its category."""
    rng = np.random.default_rng(seed)
    ranks = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        ranks[rows] = rng.permutation(len(rows))
    return ranks
