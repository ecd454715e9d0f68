"""Colours and marks: safe for colour-blind readers, and distinct in shape as well.

The colours of groups are Okabe and Ito's (https://jfly.uni-koeln.de/color/), with indigo and wine of Tol's "muted"
scheme (https://personal.sron.nl/~pault/) in place of yellow and black, which vanish on white or on dark paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.prediction import Modality
from pipeline.study_report.language import SEPARATOR

GREY = "kg"
# By name, on light and on dark paper. The names are custom properties of the page's style sheet.
COLOURS: Mapping[str, tuple[str, str]] = {
    "k0": ("#0072b2", "#4ea3dd"),
    "k1": ("#d55e00", "#f5813a"),
    "k2": ("#009e73", "#2cc296"),
    "k3": ("#c0649a", "#e6a0c8"),
    "k4": ("#dd9500", "#f6bb45"),
    "k5": ("#45a5dc", "#a5d8f7"),
    "k6": ("#882255", "#c95590"),
    "k7": ("#4b3fa7", "#9c90f2"),
    GREY: ("#9aa29f", "#6f7b77"),
    "text": ("#0072b2", "#4ea3dd"),
    "image": ("#d55e00", "#f5813a"),
    "fused": ("#00825f", "#2cc296"),
}
GROUP_COLOURS = ("k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7")
MAX_GROUPS = 12


class Shape(Enum):
    """The shape of a mark."""

    CIRCLE = 0
    SQUARE = 1
    TRIANGLE = 2
    DIAMOND = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """How a point is drawn: ``colour`` is a name of COLOURS; a hollow mark is an outline."""

    colour: str
    shape: Shape
    hollow: bool = False


MODALITY_MARKS: Mapping[Modality, Mark] = {
    Modality.TEXT: Mark("text", Shape.CIRCLE),
    Modality.IMAGE: Mark("image", Shape.SQUARE),
    Modality.FUSED: Mark("fused", Shape.DIAMOND),
}


class GroupedBy(Enum):
    """How the categories of a map are grouped for colouring."""

    CATEGORY = "category"
    PARENT = "parent"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Grouping:
    """Categories put together for colouring: ``of``, int64, one for each category, indexes ``names`` and ``marks``.

    Grouped by size, the last group, named "", is the rest.
    """

    names: tuple[str, ...]
    marks: tuple[Mark, ...]
    of: NDArray[np.int64]
    by: GroupedBy


def group_mark(index: int) -> Mark:
    """The mark of a group: eight filled ones, then hollow ones of colours and shapes that are not among the first."""
    shapes = list(Shape)
    if index < len(GROUP_COLOURS):
        return Mark(GROUP_COLOURS[index], shapes[index % len(shapes)])
    return Mark(GROUP_COLOURS[index % len(GROUP_COLOURS)], shapes[(index + 2) % len(shapes)], hollow=True)


def group_categories(categories: Sequence[str], counts: Sequence[int]) -> Grouping:
    """A group for each category up to MAX_GROUPS; of more, by parent, or the largest ones and the rest."""
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


def _grouping(names: Sequence[str], distinct: Sequence[str], by: GroupedBy) -> Grouping:
    rest = Mark(GREY, Shape.CIRCLE)
    marks = tuple(
        rest if by is GroupedBy.SIZE and not name else group_mark(index) for index, name in enumerate(distinct)
    )
    index_of = {name: index for index, name in enumerate(distinct)}
    return Grouping(tuple(distinct), marks, np.array([index_of[name] for name in names], np.int64), by)


def css_colours() -> str:
    """The colours as custom properties of the page's style sheet, for light and for dark paper."""
    light, dark = (" ".join(f"--{name}: {shades[index]};" for name, shades in COLOURS.items()) for index in (0, 1))
    scope = ".report, .rayon-file"
    return f"{scope} {{ {light} }}\n@media (prefers-color-scheme: dark) {{ {scope} {{ {dark} }} }}\n"
