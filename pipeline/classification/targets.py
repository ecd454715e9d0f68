"""Training targets: the listings, level, categories, folds and subcategories a model is fitted on.

A model answers at one level of the taxonomy, yet most labels go deeper. "Kitchen" holds many products that look
nothing like each other; an estimator fitted on mugs and pans separately need not find one rule for both. Scores of
subcategories are pooled again into scores of their categories (see ``subcategories``), so the answer stays at the
requested level. Photos gain by it; texts do not: the words of several subcategories add up by themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example
from pipeline.features.extractor import Mask

LEVEL_MIN_CATEGORY_SIZE = 20  # the fewest listings of a category that count in the choice of a level
LEVEL_COVERAGE = 0.95  # of the listings must be in such categories
MIN_LISTINGS_PER_CATEGORY = 2
MIN_LISTINGS_PER_SUBCATEGORY = 8  # listings: fewer are mostly chance
MAX_SUBCATEGORIES = 200  # categories and subcategories together; the largest subcategories come first


def category_at_level(category: str, level: int) -> str:
    """The canonical text of the category's ancestor at ``level`` (1 = top)."""
    return str(Category.parse(category).at_level(level))


def choose_level(
    categories: Sequence[str], category_size: int = LEVEL_MIN_CATEGORY_SIZE, coverage: float = LEVEL_COVERAGE
) -> int:
    """The deepest level at which ``coverage`` of the listings are in categories of ``category_size`` or more, else 1.

    A listing whose path ends above a level keeps its own category there. A level with no more categories than the one
    above is not chosen.
    """
    parsed = [Category.parse(category) for category in categories]
    best, n_categories = 1, 0
    for level in range(1, max((category.level for category in parsed), default=1) + 1):
        counts = Counter(category.at_level(level) for category in parsed)
        covered = sum(count for count in counts.values() if count >= category_size)
        if covered >= coverage * len(parsed) and len(counts) > n_categories:
            best, n_categories = level, len(counts)
    return best


@dataclass(frozen=True, slots=True)
class Subcategories:
    """``labels`` (n,) index the subcategories; ``parents`` (subcategories,) are their categories, none left out."""

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
        """The targets of listings with these whole category paths, for a model that answers at ``level``."""
        return cls(labels, n_categories, folds, subdivide(paths, labels, n_categories, level))

    def rows(self, chosen: Mask) -> Self:
        """The targets of some listings; ``chosen`` has shape (n,)."""
        below = self.subcategories
        kept = None if below is None else Subcategories(below.labels[chosen], below.parents)
        return replace(self, labels=self.labels[chosen], folds=self.folds[chosen], subcategories=kept)

    def without_subcategories(self) -> Self:
        """The same targets at the level of the categories alone."""
        return replace(self, subcategories=None)

    def at_subcategories(self) -> Self:
        """The same targets with subcategories as categories; unchanged where there are none."""
        below = self.subcategories
        if below is None:
            return self
        return replace(self, labels=below.labels, n_categories=len(below.parents), subcategories=None)


def subdivide(paths: Sequence[str], labels: NDArray[np.int64], n_categories: int, level: int) -> Subcategories | None:
    """The subcategories one level below ``level``; None where no category has any.

    ``paths`` are whole categories. Listings whose subcategory has fewer than MIN_LISTINGS_PER_SUBCATEGORY, or whose
    path ends above, share one: the rest of their category.
    """
    names = [category_at_level(path, level + 1) for path in paths]
    pairs = [(int(label), name) for label, name in zip(labels, names, strict=True)]
    counts = Counter(pairs)
    large = sorted(
        (pair for pair, count in counts.items() if count >= MIN_LISTINGS_PER_SUBCATEGORY),
        key=lambda pair: (-counts[pair], pair),
    )
    separate = set(large[: max(MAX_SUBCATEGORIES - n_categories, 0)])
    own = [pair if pair in separate else (pair[0], "") for pair in pairs]
    unlabelled = set(range(n_categories)) - set(map(int, labels))
    subcategories = sorted({*own, *((label, "") for label in unlabelled)})
    if len(subcategories) <= n_categories:
        return None
    index = {subcategory: at for at, subcategory in enumerate(subcategories)}
    return Subcategories(
        np.array([index[each] for each in own], np.int64), np.array([parent for parent, _ in subcategories], np.int64)
    )


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """The listings to train on; ``labels`` (n,) index the sorted ``categories``, which are those of ``level``.

    ``left_out`` counts, by category, the listings of categories that are too small.
    """

    level: int
    examples: tuple[Example, ...]
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    left_out: dict[str, int]

    @property
    def names(self) -> list[str]:
        """The category of each listing, as text."""
        return [self.categories[label] for label in self.labels]

    def targets(self, folds: NDArray[np.int64]) -> Targets:
        """The targets of these listings, whose ``folds`` have shape (n,)."""
        paths = [example.category for example in self.examples]
        return Targets.from_paths(paths, self.labels, len(self.categories), folds, self.level)


def select_labelled(examples: Sequence[Example], level: int | None) -> LabelledSet:
    """Cut the categories to ``level`` (None: ``choose_level``) and leave out those of fewer than two listings.

    Raises InvalidInput when fewer than two categories are left.
    """
    if not examples:
        raise InvalidInput("there are no labelled listings to learn from; import a catalogue with categories first")
    chosen = level if level is not None else choose_level([example.category for example in examples])
    if chosen < 1:
        raise InvalidInput(f"the level is {chosen}; it starts at 1, the top of the taxonomy")
    names = [category_at_level(example.category, chosen) for example in examples]
    counts = Counter(names)
    categories = tuple(sorted(name for name, count in counts.items() if count >= MIN_LISTINGS_PER_CATEGORY))
    if len(categories) < 2:
        found = ", ".join(sorted(counts)[:5])
        raise InvalidInput(
            f"at level {chosen} fewer than two categories have {MIN_LISTINGS_PER_CATEGORY} listings or more ({found}); "
            "add listings of other categories, or choose a deeper level"
        )
    index = {name: at for at, name in enumerate(categories)}
    kept = [(example, index[name]) for example, name in zip(examples, names, strict=True) if name in index]
    left_out = {name: count for name, count in sorted(counts.items()) if name not in index}
    labels = np.array([label for _, label in kept], np.int64)
    return LabelledSet(chosen, tuple(example for example, _ in kept), labels, categories, left_out)
