"""Shapes of columns: which hold only numbers or only addresses, to tell a row whose cells are shifted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

ENOUGH_VALUES = 20
SHARE_OF_VALUES = 0.98
_SHAPES = (
    re.compile(r"[-+]?\d+(?:[.,:/ -]?\d+)*"),  # numbers, dates, times
    re.compile(r"\w+://\S+"),
)


@dataclass(frozen=True, slots=True)
class ColumnShapes:
    """By column, the pattern of all its values, None where they have none in common."""

    patterns: tuple[re.Pattern[str] | None, ...]

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]], width: int) -> ColumnShapes:
        """Learn from rows of ``width`` cells; a column needs at least 20 values that are not empty."""
        return cls(tuple(_shape([row[index] for row in rows if row[index]]) for index in range(width)))

    def fit(self, row: Sequence[str]) -> bool:
        """Whether the cells of a row, as far as they are not empty, have the shapes of their columns."""
        return all(
            pattern is None or not cell or pattern.fullmatch(cell.strip()) is not None
            for pattern, cell in zip(self.patterns, row, strict=False)
        )


def _shape(values: Sequence[str]) -> re.Pattern[str] | None:
    if len(values) < ENOUGH_VALUES:
        return None
    for pattern in _SHAPES:
        if sum(pattern.fullmatch(value.strip()) is not None for value in values) >= SHARE_OF_VALUES * len(values):
            return pattern
    return None
