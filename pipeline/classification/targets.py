"""Training targets: the listings, level, categories, folds, classes and subcategories that a model is fitted on.

A model has a main level, that of its estimators, calibration and fusion; a model of whole paths also tells apart the
classes below (see ``category_tree`` and ``lower_levels``).

At the main level itself photos are fitted one level deeper, on subcategories. "Kitchen" contains many products that
look nothing like each other; an estimator fitted on mugs and pans separately does not need one rule for both. Scores of
subcategories are combined into scores of their categories (see ``subcategory_scores``), so predictions stay at the main
level. This improves photos, not texts: a linear model already adds up the words of several subcategories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.category_tree import (
    CategoryTree,
    assign_classes,
    count_small_categories,
    cut_path,
    depth,
)
from pipeline.domain.category import Category
from pipeline.domain.category_spelling import canonical_spellings
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example
from pipeline.features.extractor import Floats, Mask

LEVEL_MIN_CATEGORY_SIZE = 20  # listings that a category needs to count in the choice of a level
LEVEL_COVERAGE = 0.95  # share of the listings that must be in such categories
MIN_LISTINGS_PER_CLASS = 2  # of a category below the main level
MIN_LISTINGS_PER_SUBCATEGORY = 8  # with fewer, what is learned is mostly chance
MIN_LISTINGS_TO_CHOOSE = 10  # with held-out scores, below which settings are the usual ones, not the best ones
MAX_SUBCATEGORIES = 200  # categories and subcategories together; the largest subcategories come first


def category_at_level(category: str, level: int) -> str:
    """The canonical text of the category's ancestor at ``level`` (1 = top)."""
    return str(Category.parse(category).at_level(level))


def choose_level(
    categories: Sequence[str], min_category_size: int = LEVEL_MIN_CATEGORY_SIZE, coverage: float = LEVEL_COVERAGE
) -> int:
    """The deepest level at which ``coverage`` of the listings are in categories of at least ``min_category_size``.

    It is 1 if there is none. A listing whose path ends above a level keeps its own category there. A level with no more
    categories than the one above is not chosen.
    """
    parsed = [Category.parse(category) for category in categories]
    best, n_categories = 1, 0
    for level in range(1, max((category.level for category in parsed), default=1) + 1):
        counts = Counter(category.at_level(level) for category in parsed)
        covered = sum(count for count in counts.values() if count >= min_category_size)
        if covered >= coverage * len(parsed) and len(counts) > n_categories:
            best, n_categories = level, len(counts)
    return best


def choose_main_level(paths: Sequence[str]) -> int:
    """The highest level with at least two categories; 1 if there is none.

    Starting at the top measured better than at the level of ``choose_level``: estimators for few categories are more
    accurate there, and what is below is told apart within each category.
    """
    for level in range(1, max(map(depth, paths), default=1) + 1):
        if len({cut_path(path, level) for path in paths}) > 1:
            return level
    return 1


@dataclass(frozen=True, slots=True)
class Subcategories:
    """``labels`` (n,) are subcategory indices; ``parents`` (subcategories,) the category of each; every one occurs."""

    labels: NDArray[np.int64]
    parents: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassTargets:
    """The classes of a tree (see ``category_tree``): ``labels`` (n,), and ``parents`` (classes,), their categories."""

    labels: NDArray[np.int64]
    parents: NDArray[np.int64]

    def priors(self) -> Floats:
        """The share of each class in the listings of its category, (classes,)."""
        counts = np.bincount(self.labels, minlength=len(self.parents)).astype(np.float32)
        totals = np.bincount(self.parents, weights=counts)
        return np.asarray(counts / np.maximum(totals, 1)[self.parents], np.float32)


@dataclass(frozen=True, slots=True)
class Targets:
    """``labels`` (n,) from 0 to ``n_categories`` - 1 and ``folds`` (n,).

    ``subcategories`` are one level deeper, ``classes`` as deep as a model of whole paths answers; None if there are
    none.
    """

    labels: NDArray[np.int64]
    n_categories: int
    folds: NDArray[np.int64]
    subcategories: Subcategories | None = None
    classes: ClassTargets | None = None

    @classmethod
    def from_paths(
        cls, paths: Sequence[str], labels: NDArray[np.int64], n_categories: int, folds: NDArray[np.int64], level: int
    ) -> Self:
        """The targets of listings with these full category paths, for a model that predicts at ``level``."""
        return cls(labels, n_categories, folds, subdivide(paths, labels, n_categories, level))

    def subset(self, mask: Mask) -> Self:
        """The targets of the listings in ``mask``, (n,)."""
        subcategories = self.subcategories
        if subcategories is not None:
            subcategories = Subcategories(subcategories.labels[mask], subcategories.parents)
        classes = self.classes and ClassTargets(self.classes.labels[mask], self.classes.parents)
        return replace(
            self, labels=self.labels[mask], folds=self.folds[mask], subcategories=subcategories, classes=classes
        )

    def without_subcategories(self) -> Self:
        """The same targets without subcategories."""
        return replace(self, subcategories=None)

    def at_subcategories(self) -> Self:
        """The same targets with the subcategories as categories; unchanged if there are none."""
        if self.subcategories is None:
            return self
        labels, parents = self.subcategories.labels, self.subcategories.parents
        return replace(self, labels=labels, n_categories=len(parents), subcategories=None)


def recur_in_other_folds(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> Mask:
    """Mask (n,) of the listings whose category also occurs in another fold.

    The held-out scores of the others say nothing: the estimator had no example of their category.
    """
    if not len(labels):
        return np.zeros(0, bool)
    counts = np.zeros((labels.max() + 1, folds.max() + 1), np.int64)
    np.add.at(counts, (labels, folds), 1)
    elsewhere: Mask = counts.sum(axis=1)[labels] > counts[labels, folds]
    return elsewhere


def subdivide(paths: Sequence[str], labels: NDArray[np.int64], n_categories: int, level: int) -> Subcategories | None:
    """The subcategories one level below ``level``; None if no category has any.

    ``paths`` are full category paths. Listings whose subcategory has fewer than MIN_LISTINGS_PER_SUBCATEGORY, or whose
    path ends above it, share one: the rest of their category.
    """
    names = [category_at_level(path, level + 1) for path in paths]
    pairs = [(int(label), name) for label, name in zip(labels, names, strict=True)]
    counts = Counter(pairs)
    large = sorted(
        (pair for pair, count in counts.items() if count >= MIN_LISTINGS_PER_SUBCATEGORY),
        key=lambda pair: (-counts[pair], pair),
    )
    separate = set(large[: max(MAX_SUBCATEGORIES - n_categories, 0)])
    group_of_listing = [pair if pair in separate else (pair[0], "") for pair in pairs]
    unlabelled = set(range(n_categories)) - set(map(int, labels))
    subcategories = sorted({*group_of_listing, *((label, "") for label in unlabelled)})
    if len(subcategories) <= n_categories:
        return None
    index = {subcategory: position for position, subcategory in enumerate(subcategories)}
    return Subcategories(
        np.array([index[group] for group in group_of_listing], np.int64),
        np.array([parent for parent, _ in subcategories], np.int64),
    )


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """The listings to train on; ``labels`` (n,) are indices into the sorted ``categories`` of the main ``level``.

    ``figures_level`` is the one that figures of a single level are of. ``class_labels`` (n,) are indices into the
    classes of ``tree``.
    """

    level: int
    examples: tuple[Example, ...]
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    tree: CategoryTree
    class_labels: NDArray[np.int64]
    figures_level: int

    @property
    def listing_categories(self) -> list[str]:
        """The category of each listing."""
        return [self.categories[label] for label in self.labels]

    @property
    def paths(self) -> list[str]:
        """The full category path of each listing."""
        return [str(Category.parse(example.category)) for example in self.examples]

    @property
    def classes(self) -> ClassTargets | None:
        """The classes, if some of them are below the main level."""
        if self.tree.classes == self.categories:
            return None
        index = {name: position for position, name in enumerate(self.categories)}
        parents = np.array([index[cut_path(name, self.level)] for name in self.tree.classes], np.int64)
        return ClassTargets(self.class_labels, parents)

    def targets(self, folds: NDArray[np.int64]) -> Targets:
        """The targets of these listings, whose ``folds`` have shape (n,)."""
        targets = Targets.from_paths(self.paths, self.labels, len(self.categories), folds, self.level)
        return replace(targets, classes=self.classes)


def with_canonical_categories(examples: Sequence[Example]) -> list[Example]:
    """The examples with one spelling for each category: the most frequent of those that differ in case and the like."""
    spellings = canonical_spellings(example.category for example in examples)
    return [
        example
        if spellings[example.category] == example.category
        else replace(example, category=spellings[example.category])
        for example in examples
    ]


def select_labelled(examples: Sequence[Example], level: int | None) -> LabelledSet:
    """The listings with their categories, cut to ``level``; one listing is enough for a category.

    Without a level, each listing has the deepest of its categories that is large enough to be a class, and the main
    level is that of ``choose_main_level``. Raises InvalidInput for listings of a single category.
    """
    if not examples:
        raise InvalidInput("there are no labelled listings to learn from; import a catalogue with categories first")
    if level is not None and level < 1:
        raise InvalidInput(f"the level is {level}; it starts at 1, the top of the taxonomy")
    examples = with_canonical_categories(examples)
    paths = [str(Category.parse(example.category)) for example in examples]
    main_level = level if level is not None else choose_main_level(paths)
    if level is None:
        class_names = assign_classes(paths, MIN_LISTINGS_PER_CLASS)
    else:
        class_names = [cut_path(path, level) for path in paths]
    categories = tuple(sorted({cut_path(name, main_level) for name in class_names}))
    if len(categories) < 2:
        raise InvalidInput(
            f"all labelled listings are of one category at level {main_level} ({categories[0]}); "
            "add listings of other categories, or choose a deeper level"
        )
    tree = _tree(paths, class_names, level)
    class_index = {name: position for position, name in enumerate(tree.classes)}
    index = {name: position for position, name in enumerate(categories)}
    return LabelledSet(
        level=main_level,
        examples=tuple(examples),
        labels=np.array([index[cut_path(name, main_level)] for name in class_names], np.int64),
        categories=categories,
        tree=tree,
        class_labels=np.array([class_index[name] for name in class_names], np.int64),
        figures_level=level if level is not None else choose_level(paths),
    )


def _tree(paths: Sequence[str], class_names: Sequence[str], level: int | None) -> CategoryTree:
    classes = tuple(sorted(set(class_names)))
    if level is not None:
        return CategoryTree(classes, (level,))
    levels = tuple(range(1, max(map(depth, classes)) + 1))
    return CategoryTree(classes, levels, count_small_categories(paths, class_names))
