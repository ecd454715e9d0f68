"""Training targets: the listings, level, categories, folds and subcategories a model learns from."""

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

LEVEL_CATEGORY_SIZE = 20
LEVEL_COVERAGE = 0.95


def category_at_level(category: str, level: int) -> str:
    """The canonical text of the category's ancestor at ``level`` (1 = top)."""
    return str(Category.parse(category).at_level(level))


def choose_level(categories: Sequence[str], enough: int = LEVEL_CATEGORY_SIZE, share: float = LEVEL_COVERAGE) -> int:
    """The deepest level at which ``share`` of the listings lie in categories of at least ``enough`` listings, else 1.

    A listing whose path ends above a level keeps its own category there; a level that divides nothing any further than
    the one above is not chosen.
    """
    parsed = [Category.parse(category) for category in categories]
    best, kinds = 1, 0
    for level in range(1, max((category.level for category in parsed), default=1) + 1):
        counts = Counter(category.at_level(level) for category in parsed)
        covered = sum(count for count in counts.values() if count >= enough)
        if covered >= share * len(parsed) and len(counts) > kinds:
            best, kinds = level, len(counts)
    return best


@dataclass(frozen=True, slots=True)
class Targets:
    """``labels`` (n,), 0 .. kinds-1; ``folds`` (n,); ``divided``, where the taxonomy goes deeper."""

    labels: NDArray[np.int64]
    kinds: int
    folds: NDArray[np.int64]
    divided: Subcategories | None = None

    @classmethod
    def of(
        cls, paths: Sequence[str], labels: NDArray[np.int64], kinds: int, folds: NDArray[np.int64], level: int
    ) -> Self:
        """What listings of these whole categories teach a model that answers at ``level``."""
        return cls(labels, kinds, folds, subdivide(paths, labels, kinds, level))

    def undivided(self) -> Self:
        """The same without divisions."""
        return replace(self, divided=None)


FEWEST_PER_CATEGORY = 2


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """The listings kept, their labels (indices into the sorted ``categories``), and how many were left out of each."""

    level: int
    examples: tuple[Example, ...]
    labels: NDArray[np.int64]
    categories: tuple[str, ...]
    left_out: dict[str, int]

    @property
    def names(self) -> list[str]:
        """The category of each listing, as text."""
        return [self.categories[select_labelled] for select_labelled in self.labels]

    def lesson(self, folds: NDArray[np.int64]) -> Targets:
        """What these listings teach; ``folds`` (n,) are theirs."""
        paths = [example.category for example in self.examples]
        return Targets.of(paths, self.labels, len(self.categories), folds, self.level)


def select_labelled(examples: Sequence[Example], level: int | None) -> LabelledSet:
    """Cut the categories to ``level`` (None: ``choose_level``) and leave out those of fewer than two listings.

    Raises InvalidInput when fewer than two categories are left: there is nothing to tell apart.
    """
    if not examples:
        raise InvalidInput("there are no labelled listings to learn from; import a catalogue with categories first")
    chosen = level if level is not None else choose_level([example.category for example in examples])
    if chosen < 1:
        raise InvalidInput(f"the level is {chosen}; it starts at 1, the top of the taxonomy")
    names = [category_at_level(example.category, chosen) for example in examples]
    counts = Counter(names)
    categories = tuple(sorted(name for name, count in counts.items() if count >= FEWEST_PER_CATEGORY))
    if len(categories) < 2:
        found = ", ".join(sorted(counts)[:5])
        raise InvalidInput(
            f"at level {chosen} fewer than two categories have {FEWEST_PER_CATEGORY} listings or more ({found}); "
            "add listings of other categories, or choose a deeper level"
        )
    index = {name: at for at, name in enumerate(categories)}
    kept = [(example, index[name]) for example, name in zip(examples, names, strict=True) if name in index]
    left_out = {name: count for name, count in sorted(counts.items()) if name not in index}
    labels = np.array([at for _, at in kept], np.int64)
    return LabelledSet(chosen, tuple(example for example, _ in kept), labels, categories, left_out)


@dataclass(frozen=True, slots=True)
class Subcategories:
    """``labels`` (n,) are divisions, ``parents`` (divisions,) the category each is of; every category has one."""

    labels: NDArray[np.int64]
    parents: NDArray[np.int64]


def subdivide(paths: Sequence[str], labels: NDArray[np.int64], kinds: int, level: int) -> Subcategories | None:
    """The divisions one level below ``level``; None where no category has one.

    ``paths`` are whole categories. Listings whose own division has fewer than LEAST of them, or which end above, share
    one: the rest of their category.
    """
    names = [category_at_level(path, level + 1) for path in paths]
    counts = Counter((int(label), name) for label, name in zip(labels, names, strict=True))
    large = sorted(
        (pair for pair, count in counts.items() if count >= FEWEST_PER_SUBCATEGORY),
        key=lambda pair: (-counts[pair], pair),
    )
    told = set(large[: max(MOST_SUBCATEGORIES - kinds, 0)])
    own = [(int(label), name if (int(label), name) in told else "") for label, name in zip(labels, names, strict=True)]
    divisions = sorted({*own, *((absent, "") for absent in set(range(kinds)) - set(map(int, labels)))})
    if len(divisions) <= kinds:
        return None
    index = {division: at for at, division in enumerate(divisions)}
    return Subcategories(
        np.array([index[each] for each in own], np.int64), np.array([parent for parent, _ in divisions], np.int64)
    )


FEWEST_PER_SUBCATEGORY = 8  # listings of a division: fewer are mostly chance
MOST_SUBCATEGORIES = 200  # categories and divisions together; the largest divisions are told apart first
