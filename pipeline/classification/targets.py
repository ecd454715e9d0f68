"""Training targets: the listings, level, categories, folds and subcategories that a model is fitted on.

A model predicts at one level of the taxonomy, but most labels go deeper. "Kitchen" contains many products that look
nothing like each other; an estimator fitted on mugs and pans separately does not need one rule for both. Scores of
subcategories are combined into scores of their categories (see ``subcategory_scores``), so predictions stay at the
requested level. This improves photos, not texts: a linear model already adds up the words of several subcategories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.category import Category
from pipeline.domain.category_spelling import canonical_spellings
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example
from pipeline.features.extractor import Mask

LEVEL_MIN_CATEGORY_SIZE = 20  # listings that a category needs to count in the choice of a level
LEVEL_COVERAGE = 0.95  # share of the listings that must be in such categories
MIN_LISTINGS_PER_CATEGORY = 2
MIN_LISTINGS_PER_SUBCATEGORY = 8  # with fewer, what is learned is mostly chance
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


@dataclass(frozen=True, slots=True)
class Subcategories:
    """``labels`` (n,) are subcategory indices; ``parents`` (subcategories,) the category of each; every one occurs."""

    labels: NDArray[np.int64]
    parents: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Targets:
    """``labels`` (n,) from 0 to ``n_categories`` - 1, ``folds`` (n,), and ``subcategories`` where labels go deeper."""

    labels: NDArray[np.int64]
    n_categories: int
    folds: NDArray[np.int64]
    subcategories: Subcategories | None = None

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
        return replace(self, labels=self.labels[mask], folds=self.folds[mask], subcategories=subcategories)

    def without_subcategories(self) -> Self:
        """The same targets without subcategories."""
        return replace(self, subcategories=None)

    def at_subcategories(self) -> Self:
        """The same targets with the subcategories as categories; unchanged if there are none."""
        if self.subcategories is None:
            return self
        labels, parents = self.subcategories.labels, self.subcategories.parents
        return replace(self, labels=labels, n_categories=len(parents), subcategories=None)


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
    """The listings to train on; ``labels`` (n,) are indices into the sorted ``categories`` of ``level``.

    ``left_out``, by category, is the number of listings in categories that are too small.
    """

    level: int
    examples: tuple[Example, ...]
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    left_out: dict[str, int]

    @property
    def listing_categories(self) -> list[str]:
        """The category of each listing."""
        return [self.categories[label] for label in self.labels]

    def targets(self, folds: NDArray[np.int64]) -> Targets:
        """The targets of these listings, whose ``folds`` have shape (n,)."""
        paths = [example.category for example in self.examples]
        return Targets.from_paths(paths, self.labels, len(self.categories), folds, self.level)


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
    """Cut the categories to ``level`` (None: ``choose_level``) and leave out those with fewer than two listings.

    Raises InvalidInput when fewer than two categories remain.
    """
    if not examples:
        raise InvalidInput("there are no labelled listings to learn from; import a catalogue with categories first")
    examples = with_canonical_categories(examples)
    selected_level = level if level is not None else choose_level([example.category for example in examples])
    if selected_level < 1:
        raise InvalidInput(f"the level is {selected_level}; it starts at 1, the top of the taxonomy")
    names = [category_at_level(example.category, selected_level) for example in examples]
    counts = Counter(names)
    categories = tuple(sorted(name for name, count in counts.items() if count >= MIN_LISTINGS_PER_CATEGORY))
    if len(categories) < 2:
        found_categories = ", ".join(sorted(counts)[:5])
        raise InvalidInput(
            f"at level {selected_level} fewer than two categories have {MIN_LISTINGS_PER_CATEGORY} listings or more "
            f"({found_categories}); add listings of other categories, or choose a deeper level"
        )
    index = {name: position for position, name in enumerate(categories)}
    labelled = [(example, index[name]) for example, name in zip(examples, names, strict=True) if name in index]
    left_out = {name: count for name, count in sorted(counts.items()) if name not in index}
    labels = np.array([label for _, label in labelled], np.int64)
    return LabelledSet(selected_level, tuple(example for example, _ in labelled), labels, categories, left_out)
