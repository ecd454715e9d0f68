"""The listings that a study draws: their level, their categories, and a sample stratified by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.targets import category_at_level, choose_level
from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import StudyPlan

MIN_CATEGORY_SIZE = 2  # listings; smaller categories are left out
MIN_LISTINGS = 20


@dataclass(frozen=True, slots=True)
class DrawnSample:
    """The level, the sorted ``categories``, the ``indices`` of the drawn listings (ascending), and their ``labels``."""

    level: int
    categories: tuple[str, ...]
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]


def draw_sample(categories: Sequence[str], plan: StudyPlan) -> DrawnSample:
    """At most ``plan.sample`` listings, each category keeping its share; the same input gives the same sample.

    ``categories`` are full paths, one per listing. Where ``plan.level`` is None the level is the one that training
    would take: the deepest whose categories are large enough to learn. Raises InvalidInput when there is too little to
    study.
    """
    if not categories:
        raise InvalidInput(Reason.of(ReasonCode.NO_LABELLED_LISTINGS))
    level = plan.level or _level_to_study(categories)
    names = [category_at_level(category, level) for category in categories]
    counts = Counter(names)
    kept = tuple(sorted(name for name, count in counts.items() if count >= MIN_CATEGORY_SIZE))
    label_of = {name: label for label, name in enumerate(kept)}
    indices = np.array([index for index, name in enumerate(names) if name in label_of], np.int64)
    if len(kept) < 2 or len(indices) < MIN_LISTINGS:
        found = {"listings": len(indices), "categories": len(kept)}
        least = {"least": MIN_LISTINGS, "least_each": MIN_CATEGORY_SIZE}
        raise InvalidInput(Reason.of(ReasonCode.TOO_FEW_LABELLED_LISTINGS, level=level, **found, **least))
    labels = np.array([label_of[names[index]] for index in indices], np.int64)
    if plan.sample is not None and plan.sample < len(indices):
        drawn = stratified_sample(labels, plan.sample)
        indices, labels = indices[drawn], labels[drawn]
        present = np.unique(labels)
        kept = tuple(kept[label] for label in present)
        labels = np.searchsorted(present, labels).astype(np.int64)
    return DrawnSample(level, kept, indices, labels)


def stratified_sample(labels: NDArray[np.int64], count: int, seed: int = 0) -> NDArray[np.int64]:
    """``count`` positions (ascending), shared out over the labels by largest remainder.

    Each label gets at least MIN_CATEGORY_SIZE; where there are too many labels for that, the most frequent ones do.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(labels)
    order = np.argsort(-sizes, kind="stable")[: max(count // MIN_CATEGORY_SIZE, 1)]
    shares = np.zeros(len(sizes), np.int64)
    exact = sizes[order] * (count / sizes[order].sum())
    shares[order] = np.maximum(np.floor(exact), np.minimum(MIN_CATEGORY_SIZE, sizes[order])).astype(np.int64)
    for label in order[np.argsort(-(exact - np.floor(exact)), kind="stable")]:
        if shares.sum() >= count:
            break
        shares[label] += shares[label] < sizes[label]
    while shares.sum() > count:
        shares[int(np.argmax(shares))] -= 1
    drawn = [rng.permutation(np.flatnonzero(labels == label))[:share] for label, share in enumerate(shares) if share]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def _level_to_study(categories: Sequence[str]) -> int:
    """The level that training would take, or the first one below it with more than one category."""
    level_of_training = choose_level(categories)
    deepest = max(Category.parse(category).level for category in categories)
    for level in range(level_of_training, deepest + 1):
        counts = Counter(category_at_level(category, level) for category in categories)
        if sum(count >= MIN_CATEGORY_SIZE for count in counts.values()) > 1:
            return level
    return level_of_training
