"""Sampling of a study's listings: the level, the categories, and a sample stratified by category."""

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
    """Draw at most ``plan.sample`` listings, stratified by category; deterministic.

    ``categories`` are full paths, one per listing. If ``plan.level`` is None, the level is the one that training would
    use: the deepest whose categories are large enough to learn. Raises InvalidInput when there are too few listings or
    categories to study.
    """
    if not categories:
        raise InvalidInput(Reason.of(ReasonCode.NO_LABELLED_LISTINGS))
    level = plan.level or _level_to_study(categories)
    names = [category_at_level(category, level) for category in categories]
    counts = Counter(names)
    kept_categories = tuple(sorted(name for name, count in counts.items() if count >= MIN_CATEGORY_SIZE))
    label_of_category = {name: label for label, name in enumerate(kept_categories)}
    kept_indices = np.array([index for index, name in enumerate(names) if name in label_of_category], np.int64)
    if len(kept_categories) < 2 or len(kept_indices) < MIN_LISTINGS:
        actual = {"listings": len(kept_indices), "categories": len(kept_categories)}
        required = {"least": MIN_LISTINGS, "least_each": MIN_CATEGORY_SIZE}
        raise InvalidInput(Reason.of(ReasonCode.TOO_FEW_LABELLED_LISTINGS, level=level, **actual, **required))
    labels = np.array([label_of_category[names[index]] for index in kept_indices], np.int64)
    if plan.sample is not None and plan.sample < len(kept_indices):
        chosen = stratified_sample(labels, plan.sample)
        kept_indices, labels = kept_indices[chosen], labels[chosen]
        present = np.unique(labels)
        kept_categories = tuple(kept_categories[label] for label in present)
        labels = np.searchsorted(present, labels).astype(np.int64)
    return DrawnSample(level, kept_categories, kept_indices, labels)


def stratified_sample(labels: NDArray[np.int64], count: int, seed: int = 0) -> NDArray[np.int64]:
    """``count`` indices into ``labels`` (ascending), apportioned to the labels by largest remainder.

    Each label gets at least MIN_CATEGORY_SIZE indices (all it has, if fewer); if there are too many labels for that,
    only the most frequent ones are sampled.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(labels)
    sampled_labels = np.argsort(-sizes, kind="stable")[: max(count // MIN_CATEGORY_SIZE, 1)]
    shares = np.zeros(len(sizes), np.int64)
    exact_shares = sizes[sampled_labels] * (count / sizes[sampled_labels].sum())
    shares[sampled_labels] = np.maximum(
        np.floor(exact_shares), np.minimum(MIN_CATEGORY_SIZE, sizes[sampled_labels])
    ).astype(np.int64)
    for label in sampled_labels[np.argsort(-(exact_shares - np.floor(exact_shares)), kind="stable")]:
        if shares.sum() >= count:
            break
        shares[label] += shares[label] < sizes[label]
    while shares.sum() > count:
        shares[int(np.argmax(shares))] -= 1
    drawn = [rng.permutation(np.flatnonzero(labels == label))[:share] for label, share in enumerate(shares) if share]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def _level_to_study(categories: Sequence[str]) -> int:
    """The level that training would use, or the first deeper one with more than one category."""
    training_level = choose_level(categories)
    deepest = max(Category.parse(category).level for category in categories)
    for level in range(training_level, deepest + 1):
        counts = Counter(category_at_level(category, level) for category in categories)
        if sum(count >= MIN_CATEGORY_SIZE for count in counts.values()) > 1:
            return level
    return training_level
