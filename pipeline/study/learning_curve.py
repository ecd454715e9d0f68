"""The learning curve: the accuracy of text, photos and both with a given number of labelled listings per category.

A fifth of the listings is held out in each repeat. Extractors are fitted once on the other listings, for which they
need no labels; estimators, calibration and fusion see the labelled ones only, and each size contains the smaller ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.classification.evidence_views import EvidenceFeatures, Extractors, text_features
from pipeline.classification.feature_extraction import (
    extract_photo_features,
    extract_text_features,
    fit_photo_extractors,
    fit_text_extractor,
)
from pipeline.classification.fusion import ModalityProbabilities, fit_fusion, fuse
from pipeline.classification.grouped_folds import assign_folds, group_listings
from pipeline.classification.modality_fitting import empty_fit, fit_modality
from pipeline.classification.targets import Targets, category_at_level
from pipeline.classification.training import FOLDS
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import Spread
from pipeline.domain.study_report import LearningCurvePoint
from pipeline.features.extractor import Floats
from pipeline.study.sampling import stratified_sample
from pipeline.study.supervised_scores import SupervisedSetup

SIZES = (5, 10, 20, 50, 100, 200, 500, 1_000)
MAX_LISTINGS = 4_000  # of more, a stratified sample is used
_FITTING = 0.6  # the share of a repeat's time that fitting the extractors takes, roughly
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Split:
    """One repeat: the listings to learn from (``pool``) and to judge (``test``), as ascending indices."""

    pool: Labels
    test: Labels
    seed: int


@dataclass(frozen=True, slots=True)
class _Side:
    """Extractors of one modality, fitted on the pool, and the features of the pool and of the test listings."""

    extractors: Extractors
    pool: EvidenceFeatures
    test: EvidenceFeatures


@dataclass(slots=True)
class _LabelledExamples:
    """Examples with their categories at the study's level, and the groups that folds must not separate."""

    examples: Sequence[Example]
    setup: SupervisedSetup
    names: list[str] = field(init=False)
    categories: list[str] = field(init=False)
    labels: Labels = field(init=False)
    groups: NDArray[np.int64] = field(init=False)
    folds: int = field(init=False)

    def __post_init__(self) -> None:
        self.names = [category_at_level(example.category, self.setup.level) for example in self.examples]
        self.categories = sorted(set(self.names))
        self.labels = np.array([self.categories.index(name) for name in self.names], np.int64)
        if len(self.labels) > MAX_LISTINGS:
            drawn = stratified_sample(self.labels, MAX_LISTINGS, self.setup.seed)
            self.examples, self.names = [self.examples[row] for row in drawn], [self.names[row] for row in drawn]
            self.labels = self.labels[drawn]
        self.folds = max(2, min(self.setup.folds, len(self.labels) // 2))
        self.groups = group_listings(self.examples, self.names, self.folds)

    def split(self, repeat: int) -> _Split:
        """The first fold is held out."""
        seed = self.setup.seed + repeat
        held_out = assign_folds(self.names, self.groups, self.folds, seed) == 0
        return _Split(np.flatnonzero(~held_out), np.flatnonzero(held_out), seed)

    def targets(self, rows: Labels) -> Targets:
        """The targets an estimator learns for some of the examples."""
        inner = assign_folds([self.names[row] for row in rows], self.groups[rows], FOLDS, self.setup.seed)
        paths = [self.examples[row].category for row in rows]
        return Targets.from_paths(paths, self.labels[rows], len(self.categories), inner, self.setup.level)


def learning_curve(
    examples: Sequence[Example], setup: SupervisedSetup, progress: Progress = no_progress
) -> tuple[LearningCurvePoint, ...]:
    """The points by modality and size; the largest size is all there is: the median count of a category.

    Accuracies are those on the held-out listings that have the evidence, ``fused`` on all of them; the interval is from
    the smallest to the largest of the repeats.
    """
    setup = setup.with_caches()
    labelled = _LabelledExamples(examples, setup)
    accuracies: dict[tuple[Modality, int], list[float]] = {}
    with threadpool_limits(limits=1):
        for repeat in range(setup.repeats):
            share = 1 / setup.repeats
            part = stage(progress, repeat * share, (repeat + 1) * share, f"round {repeat + 1} of {setup.repeats}: ")
            split = labelled.split(repeat)
            sides = _fit_sides(labelled, split, stage(part, 0, _FITTING))
            for size, rows in _sizes(labelled, split, stage(part, _FITTING, 1)):
                targets = labelled.targets(split.pool[rows])
                for modality, accuracy in _accuracies(sides, rows, targets, labelled.labels[split.test]).items():
                    accuracies.setdefault((modality, size), []).append(accuracy)
    return tuple(
        LearningCurvePoint(modality, size, Spread.of(accuracies[modality, size]))
        for modality in Modality
        for size in sorted(size for each, size in accuracies if each is modality)
    )


def _fit_sides(labelled: _LabelledExamples, split: _Split, progress: Progress) -> dict[Modality, _Side]:
    """The modalities of the listings."""
    setup, reader = labelled.setup, labelled.setup.photo_reader()
    pool = [labelled.examples[row].evidence for row in split.pool]
    test = [labelled.examples[row].evidence for row in split.test]
    sides = {}
    texts = fit_text_extractor(pool, setup.options(split.seed), setup.text_cache)
    if texts is not None:
        features = extract_text_features(texts, pool, labelled.labels[split.pool])
        sides[Modality.TEXT] = _Side(texts, features, text_features(texts, test, split=len(features.has) > 1))
    photos = fit_photo_extractors(pool, reader, split.seed, stage(progress, 0, 0.5))
    if photos is not None:
        features = extract_photo_features(photos, pool, reader, stage(progress, 0.5, 0.9))
        sides[Modality.IMAGE] = _Side(photos, features, extract_photo_features(photos, test, reader, no_progress))
    if not sides:
        raise InvalidInput(Reason.of(ReasonCode.NOTHING_USABLE))
    return sides


def _sizes(labelled: _LabelledExamples, split: _Split, progress: Progress) -> Iterator[tuple[int, Labels]]:
    """Each size of the curve, with the rows of the pool that are labelled at it."""
    labels = labelled.labels[split.pool]
    ranks = _ranks(labels, split.seed)
    all_there_is = int(np.median(np.bincount(labels, minlength=len(labelled.categories))))
    sizes = [*(size for size in SIZES if size < all_there_is), all_there_is]
    for position, size in enumerate(sizes):
        progress(position / len(sizes), f"learning from {size} a category")
        rows = np.arange(len(labels)) if size == all_there_is else np.flatnonzero(ranks < size)
        if len(np.unique(labels[rows])) > 1:
            yield size, rows


def _accuracies(
    sides: Mapping[Modality, _Side], rows: Labels, targets: Targets, truth: Labels
) -> dict[Modality, float]:
    """Accuracies on the test listings, whose labels are ``truth``, of estimators that learned ``rows`` of the pool."""
    n_categories = targets.n_categories
    fits = dict.fromkeys((Modality.TEXT, Modality.IMAGE), empty_fit(len(rows), n_categories))
    answers: dict[Modality, Floats] = {each: np.zeros((len(truth), n_categories), np.float32) for each in fits}
    has = {each: np.zeros(len(truth), bool) for each in fits}
    found = {}
    for modality, side in sides.items():
        fits[modality] = fit_modality(
            side.extractors,
            side.pool.subset(rows),
            targets if modality is Modality.IMAGE else targets.without_subcategories(),
        )
        model = fits[modality].model
        if model is not None and side.test.usable.any():
            answers[modality], has[modality] = model.probabilities(side.test), side.test.usable
            right = answers[modality].argmax(axis=1) == truth
            found[modality] = float(right[side.test.usable].mean())
    if len(sides) > 1:
        text, image = fits[Modality.TEXT], fits[Modality.IMAGE]
        learned = ModalityProbabilities(text.probabilities, image.probabilities, text.usable, image.usable)
        has_text, has_image = has[Modality.TEXT], has[Modality.IMAGE]
        answered = ModalityProbabilities(answers[Modality.TEXT], answers[Modality.IMAGE], has_text, has_image)
        fused = fuse(fit_fusion(learned, targets.labels), answered)
        found[Modality.FUSED] = float(((fused.argmax(axis=1) == truth) & (has_text | has_image)).mean())
    return found


def _ranks(labels: Labels, seed: int) -> Labels:
    """The position of each listing in a random order of its category."""
    rng = np.random.default_rng(seed)
    ranks = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        ranks[rows] = rng.permutation(len(rows))
    return ranks
