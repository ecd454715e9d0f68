"""The learning curve: what text, photos and both reach with so many labelled listings a category.

A fifth of the listings is held out and fixed for a repeat. Extractors are fitted once on the other listings, which need
no labels for that; estimators, calibration and fusion only see the labelled ones, and each size contains the smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.classification.cross_validation import CACHE_BYTES
from pipeline.classification.evidence_views import EvidenceFeatures, Extractors, text_features
from pipeline.classification.feature_extraction import (
    CachedTextExtractor,
    cached_text_extractor,
    extract_photo_features,
    extract_text_features,
    fit_photo_extractors,
    fit_text_extractor,
)
from pipeline.classification.fusion import ModalityProbabilities, fit_fusion, fuse
from pipeline.classification.grouped_folds import assign_folds, group_listings
from pipeline.classification.modality_fitting import empty_fit, fit_modality
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.targets import Targets, category_at_level
from pipeline.classification.training import FOLDS, make_photo_reader
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, no_progress, stage
from pipeline.domain.study import Spread
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import Floats
from pipeline.study.sampling import stratified

SIZES = (5, 10, 20, 50, 100, 200, 500, 1_000)
MOST = 4_000  # listings looked at
# Extractors fitted on the pool, and what they see of the pool and of the held-out listings.
Side = tuple[Extractors, EvidenceFeatures, EvidenceFeatures]


def curve(
    examples: Sequence[Example],
    *,
    text_extractor: str | None = "tfidf",
    image_extractors: Sequence[str] = ("fisher",),
    level: int,
    folds: int = 5,
    repeats: int = 2,
    seed: int = 0,
    weights: Mapping[str, str] | None = None,
    reader: PhotoReader | None = None,
    known: CachedTextExtractor | None = None,
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Rows of the report's ``learning_curve``; the last size is all there is: the median count of a category.

    Accuracies are those on the held-out listings that have the evidence, ``fused`` on all; the interval is the repeats'
    extremes.
    """
    names = [category_at_level(example.category, level) for example in examples]
    categories = sorted(set(names))
    labels = np.array([categories.index(name) for name in names], np.int64)
    if len(labels) > MOST:
        chosen = stratified(labels, MOST, seed)
        examples, names, labels = [examples[at] for at in chosen], [names[at] for at in chosen], labels[chosen]
    evidences = [example.evidence for example in examples]
    folds = max(2, min(folds, len(labels) // 2))
    grouped = group_listings(examples, names, folds)
    options = TrainingOptions(text_extractor=text_extractor, weights=weights or {})
    reader = reader or make_photo_reader(image_extractors, weights, CACHE_BYTES)
    known = known or cached_text_extractor(options)
    found: dict[tuple[str, int], list[float]] = {}
    with threadpool_limits(limits=1):
        for repeat in range(repeats):

            def part(share: float, note: str, repeat: int = repeat) -> None:
                progress((repeat + share) / repeats, f"round {repeat + 1} of {repeats}: {note}")

            held_out = assign_folds(names, grouped, folds, seed + repeat) == 0
            pool, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
            rank = _ranks(labels[pool], seed + repeat)
            own = replace(options, seed=seed + repeat)
            sides = _sides(evidences, labels, pool, test, own, known, reader, part)
            most = int(np.median(np.bincount(labels[pool], minlength=len(categories))))
            sizes = [size for size in SIZES if size < most]
            for at, size in enumerate([*sizes, most]):
                part(0.6 + 0.4 * at / (len(sizes) + 1), f"learning from {size} a category")
                rows = np.flatnonzero(rank < size) if size != most else np.arange(len(pool))
                if len(np.unique(labels[pool[rows]])) < 2:
                    continue
                inner = assign_folds([names[row] for row in pool[rows]], grouped[pool[rows]], FOLDS, seed)
                mine = pool[rows]
                paths = [examples[at].category for at in mine]
                lesson = Targets.from_paths(paths, labels[mine], len(categories), inner, level)
                for modality, accuracy in _judged(sides, rows, lesson, labels[test]).items():
                    found.setdefault((modality, size), []).append(accuracy)
    order = [modality.value for modality in Modality]
    return [
        {"modality": modality, "per_category": size, "accuracy": asdict(Spread.of(values))}
        for (modality, size), values in sorted(found.items(), key=lambda each: (order.index(each[0][0]), each[0][1]))
    ]


def _sides(
    evidences: Sequence[Evidence],
    labels: NDArray[np.int64],
    pool: NDArray[np.int64],
    test: NDArray[np.int64],
    options: TrainingOptions,
    known: CachedTextExtractor | None,
    reader: PhotoReader,
    progress: Progress,
) -> dict[Modality, Side]:
    """The sides that there are, by modality."""
    inside, outside = [evidences[row] for row in pool], [evidences[row] for row in test]
    sides = {}
    texts = fit_text_extractor(inside, options, known)
    if texts is not None:
        seen = extract_text_features(texts, inside, labels[pool])
        sides[Modality.TEXT] = texts, seen, text_features(texts, outside, split=len(seen.has) > 1)
    photos = fit_photo_extractors(inside, reader, options.seed, stage(progress, 0.0, 0.3))
    if photos is not None:
        seen = extract_photo_features(photos, inside, reader, stage(progress, 0.3, 0.55))
        sides[Modality.IMAGE] = photos, seen, extract_photo_features(photos, outside, reader, no_progress)
    if not sides:
        raise InvalidInput("the listings have neither texts nor photos that can be used")
    return sides


def _judged(
    sides: Mapping[Modality, Side],
    rows: NDArray[np.int64],
    lesson: Targets,
    truth: NDArray[np.int64],
) -> dict[str, float]:
    """Accuracies by modality on the test listings, whose labels are ``truth``, of parts that had this ``lesson``.

    It is of the listings ``rows`` of the pool.
    """
    kinds = lesson.n_categories
    fitted = dict.fromkeys((Modality.TEXT, Modality.IMAGE), empty_fit(len(rows), kinds))
    said: dict[Modality, Floats] = {each: np.zeros((len(truth), kinds), np.float32) for each in fitted}
    has = {each: np.zeros(len(truth), bool) for each in fitted}
    found = {}
    for modality, (extractors, seen, unseen) in sides.items():
        own = lesson if modality is Modality.IMAGE else lesson.without_subcategories()
        fitted[modality] = fit_modality(extractors, seen.rows(rows), own)
        part = fitted[modality].model
        if part is not None and unseen.usable.any():
            said[modality], has[modality] = part.probabilities(unseen), unseen.usable
            right = said[modality].argmax(axis=1) == truth
            found[modality.value] = float(right[unseen.usable].mean())
    if len(sides) > 1:
        text, image = Modality.TEXT, Modality.IMAGE
        texts, images = fitted[text], fitted[image]
        learned = ModalityProbabilities(texts.probabilities, images.probabilities, texts.usable, images.usable)
        fusion = fit_fusion(learned, lesson.labels)
        fused = fuse(fusion, ModalityProbabilities(said[text], said[image], has[text], has[image]))
        right = (fused.argmax(axis=1) == truth) & (has[text] | has[image])
        found[Modality.FUSED.value] = float(right.mean())
    return found


def _ranks(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The place of each listing in a random order of its category's."""
    rng = np.random.default_rng(seed)
    ranks = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        inside = np.flatnonzero(labels == label)
        ranks[inside] = rng.permutation(len(inside))
    return ranks
