"""CategoryTree: the classes that a model tells apart, and the levels of the taxonomy at which it answers.

A class is a category with enough listings of its own: the deepest such category of each listing. A category whose
other listings belong to deeper classes is a class too, the rest of it: listings whose path ends there, or goes on to
categories with too few listings. The probabilities of classes therefore add up to the probabilities of all categories
above them (hierarchical selective classification, Goren et al. 2024, arXiv 2405.11533).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.category import SEPARATOR
from pipeline.features.extractor import Floats

MAX_CLASSES = 400  # with more, the smallest are learned at the level above
MAX_SMALL_CATEGORIES = 5  # of one class, the most frequent first


class LevelGroups(NamedTuple):
    """The classes grouped by their category at one level: ``names`` (groups,), and the classes in order of the groups.

    ``starts`` (groups,) are the positions in ``order`` (classes,) where each group begins.
    """

    names: NDArray[np.str_]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def sums(self, class_probabilities: Floats) -> Floats:
        """Probabilities (n, classes) summed by group, (n, groups)."""
        sums = np.add.reduceat(class_probabilities[:, self.order], self.starts, axis=1)
        return np.asarray(np.minimum(sums, 1), np.float32)  # rounding may make a sum larger than 1


@dataclass(frozen=True)
class CategoryTree:
    """Sorted ``classes``, as canonical paths, and the ``levels`` at which the model answers, from the top.

    A model of a single level has that level only, and its classes are the categories there. ``small``, by class, counts
    the training listings of the categories below that are too small to be classes; the class itself is among them for
    the listings whose path ends there.
    """

    classes: tuple[str, ...]
    levels: tuple[int, ...]
    small: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def is_deep(self) -> bool:
        """Whether the model answers at several levels."""
        return len(self.levels) > 1

    @property
    def all_names(self) -> NDArray[np.str_]:
        """The categories of all levels, sorted."""
        return _all_names(self.classes, self.levels)

    def positions(self, level: int) -> NDArray[np.int64]:
        """The positions in ``all_names`` of the groups at ``level``."""
        return _positions(self.classes, self.levels, level)

    def groups(self, level: int) -> LevelGroups:
        """The classes grouped by their categories at ``level``; a class above that level is a group of its own."""
        return _groups(self.classes, level)

    def names_at(self, level: int) -> list[str]:
        """The categories that may be answered at ``level``, sorted."""
        names: list[str] = self.groups(level).names.tolist()
        return [name for name in names if depth(name) == level] if self.is_deep else names


@lru_cache(maxsize=64)
def _groups(classes: tuple[str, ...], level: int) -> LevelGroups:
    names, group_of_class = np.unique([cut_path(name, level) for name in classes], return_inverse=True)
    order = np.argsort(group_of_class, kind="stable")
    starts = np.searchsorted(group_of_class[order], np.arange(len(names)))
    return LevelGroups(names, order.astype(np.int64), starts.astype(np.int64))


@lru_cache(maxsize=16)
def _all_names(classes: tuple[str, ...], levels: tuple[int, ...]) -> NDArray[np.str_]:
    names = {name for level in levels for name in _groups(classes, level).names.tolist()}
    return np.array(sorted(names), dtype=np.str_)


@lru_cache(maxsize=64)
def _positions(classes: tuple[str, ...], levels: tuple[int, ...], level: int) -> NDArray[np.int64]:
    return np.searchsorted(_all_names(classes, levels), _groups(classes, level).names).astype(np.int64)


def cut_path(path: str, level: int) -> str:
    """The ancestor of a canonical path at ``level``, or the path itself if it is not that deep."""
    return SEPARATOR.join(path.split(SEPARATOR)[:level])


def depth(path: str) -> int:
    """The level of a canonical path, 1 at the top; 0 for the empty text."""
    return path.count(SEPARATOR) + 1 if path else 0


def is_at_or_below(path: str, category: str) -> bool:
    """Whether a canonical path is ``category`` or lies below it."""
    return path == category or path.startswith(category + SEPARATOR)


def assign_classes(paths: Sequence[str], min_listings: int, max_classes: int = MAX_CLASSES) -> list[str]:
    """The class of each listing: its deepest category of at least ``min_listings``; its top category if there is none.

    Where these are more than ``max_classes``, the least number of listings is raised until they are not.
    """
    counts = Counter(paths)
    n_top = len({cut_path(path, 1) for path in counts})
    while True:
        class_of_path = _class_of_path(counts, min_listings)
        if len(set(class_of_path.values())) <= max(max_classes, n_top) or min_listings > len(paths):
            return [class_of_path[path] for path in paths]
        min_listings += 1 + min_listings // 4


def _class_of_path(counts: Mapping[str, int], min_listings: int) -> dict[str, str]:
    """The class of each path, of which there are so many listings."""
    listings: Counter[str] = Counter()
    for path, count in counts.items():
        for level in range(1, depth(path) + 1):
            listings[cut_path(path, level)] += count
    classes = {}
    for path in counts:
        level = depth(path)
        while level > 1 and listings[cut_path(path, level)] < min_listings:
            level -= 1
        classes[path] = cut_path(path, level)
    return classes


def count_small_categories(paths: Sequence[str], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """For each class of which some listings go deeper: the most frequent full paths of its listings, with counts."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for path, name in zip(paths, classes, strict=True):
        counts[name][path] += 1
    return {
        name: dict(sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:MAX_SMALL_CATEGORIES])
        for name, counter in sorted(counts.items())
        if set(counter) != {name}
    }
