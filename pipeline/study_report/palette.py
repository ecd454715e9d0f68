"""Colours and marks for categories: safe for colour-blind readers, and told apart by shape as well.

The colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), with indigo and wine of Tol's "muted" scheme
(https://personal.sron.nl/~pault/) in place of yellow and black, which vanish on white or on dark paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.study_report.language import SEPARATOR

# On light paper; report.css has the same order, and lighter ones for dark paper.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#c0649a", "#dd9500", "#45a5dc", "#882255", "#4b3fa7")
GREY = "#9aa29f"
SHAPES = ("circle", "square", "triangle", "diamond")
MOST = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """How a group is drawn. ``colour`` indexes COLOURS (None: grey), ``shape`` SHAPES; hollow ones are rings."""

    colour: int | None
    shape: int
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Grouping:
    """Categories put together for colouring.

    ``names`` and ``marks`` are those of the groups, ``of`` (int64, one for each category) indexes them. ``by`` is
    ``category`` when each has its own, else ``parent`` or ``size``; by size, the last group (named "") is the rest.
    """

    names: tuple[str, ...]
    marks: tuple[Mark, ...]
    of: NDArray[np.int64]
    by: str


def mark(index: int) -> Mark:
    """The mark of a group: eight filled ones, then hollow ones whose colour and shape do not meet among the first."""
    if index < len(COLOURS):
        return Mark(index, index % len(SHAPES))
    return Mark(index % len(COLOURS), (index + 2) % len(SHAPES), hollow=True)


def group(categories: Sequence[str], counts: Sequence[int]) -> Grouping:
    """A group for each category up to ``MOST``; above that by parent, or the largest ones and the rest."""
    if len(categories) <= MOST:
        marks = tuple(mark(i) for i in range(len(categories)))
        return Grouping(tuple(categories), marks, np.arange(len(categories)), "category")
    paths = [category.split(SEPARATOR) for category in categories]
    for depth in range(max(map(len, paths)) - 1, 0, -1):
        parents = [SEPARATOR.join(path[:depth]) for path in paths]
        if 2 <= len(set(parents)) <= MOST:
            return _groups(parents, sorted(set(parents)), "parent")
    largest = [i for i, _ in Counter(dict(enumerate(counts))).most_common(MOST - 1)]
    named = [categories[i] if i in largest else "" for i in range(len(categories))]
    return _groups(named, [*(categories[i] for i in sorted(largest)), ""], "size")


def _groups(names: Sequence[str], distinct: Sequence[str], by: str) -> Grouping:
    marks = tuple(mark(i) if name or by != "size" else Mark(None, 0) for i, name in enumerate(distinct))
    at = {name: i for i, name in enumerate(distinct)}
    return Grouping(tuple(distinct), marks, np.array([at[name] for name in names]), by)
