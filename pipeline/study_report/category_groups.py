"""Groups of categories that share a colour and a mark on the maps, if there are too many for one colour each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from pipeline.study_report.language import SEPARATOR
from pipeline.study_report.palette import GREY, GROUP_COLOURS, Mark, Shape

MAX_GROUPS = 12


class GroupedBy(Enum):
    """The criterion by which categories are grouped for colouring."""

    CATEGORY = "category"
    PARENT = "parent"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Grouping:
    """Categories grouped for colouring; ``names`` and ``marks`` are those of the groups.

    ``group_of_category``, int64, has the group index of each category. If grouped by size, the last group, named "",
    holds all other categories.
    """

    names: tuple[str, ...]
    marks: tuple[Mark, ...]
    group_of_category: NDArray[np.int64]
    by: GroupedBy


def group_mark(index: int) -> Mark:
    """The mark of a group: eight filled marks, then hollow ones that combine colours and shapes differently."""
    shapes = list(Shape)
    if index < len(GROUP_COLOURS):
        return Mark(GROUP_COLOURS[index], shapes[index % len(shapes)])
    return Mark(GROUP_COLOURS[index % len(GROUP_COLOURS)], shapes[(index + 2) % len(shapes)], hollow=True)


def group_categories(categories: Sequence[str], counts: Sequence[int]) -> Grouping:
    """One group per category up to MAX_GROUPS; if there are more, by parent, or the largest ones and the rest."""
    if len(categories) <= MAX_GROUPS:
        return _grouping(categories, categories, GroupedBy.CATEGORY)
    paths = [category.split(SEPARATOR) for category in categories]
    for depth in range(max(map(len, paths)) - 1, 0, -1):
        parents = [SEPARATOR.join(path[:depth]) for path in paths]
        if 2 <= len(set(parents)) <= MAX_GROUPS:
            return _grouping(parents, sorted(set(parents)), GroupedBy.PARENT)
    largest = [index for index, _ in Counter(dict(enumerate(counts))).most_common(MAX_GROUPS - 1)]
    names = [category if index in largest else "" for index, category in enumerate(categories)]
    return _grouping(names, [*(categories[index] for index in sorted(largest)), ""], GroupedBy.SIZE)


def _grouping(names: Sequence[str], group_names: Sequence[str], by: GroupedBy) -> Grouping:
    grey_mark = Mark(GREY, Shape.CIRCLE)
    marks = tuple(
        grey_mark if by is GroupedBy.SIZE and not name else group_mark(index) for index, name in enumerate(group_names)
    )
    group_index = {name: index for index, name in enumerate(group_names)}
    return Grouping(tuple(group_names), marks, np.array([group_index[name] for name in names], np.int64), by)
