"""Shapes of columns: which hold only numbers or only addresses, to tell a row whose cells are shifted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

ENOUGH_VALUES = 20
SHARE_OF_VALUES = 0.98
_NUMBER = re.compile(r"[-+]?\d+(?:[.,:/ -]?\d+)*")  # also dates and times
_ADDRESS = re.compile(r"\w+://\S+")


@dataclass(frozen=True, slots=True)
class ColumnShapes:
    """By column, the pattern that its values have, and whether none of them is an address; None and False if unknown.

    A column needs at least 20 values that are not empty to have a shape.
    """

    patterns: tuple[re.Pattern[str] | None, ...]
    without_address: tuple[bool, ...]

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]], width: int) -> ColumnShapes:
        """Learn from rows of ``width`` cells."""
        columns = [[row[index].strip() for row in rows if row[index].strip()] for index in range(width)]
        known = [values if len(values) >= ENOUGH_VALUES else [] for values in columns]
        return cls(
            tuple(
                next((shape for shape in (_NUMBER, _ADDRESS) if _is_common(shape, values)), None) for values in known
            ),
            tuple(bool(values) and not any(map(_ADDRESS.fullmatch, values)) for values in known),
        )

    def fit(self, row: Sequence[str]) -> bool:
        """Whether the cells of a row, as far as they are not empty, look like those of their columns."""
        for cell, pattern, without_address in zip(row, self.patterns, self.without_address, strict=False):
            text = cell.strip()
            if text and ((pattern and not pattern.fullmatch(text)) or (without_address and _ADDRESS.fullmatch(text))):
                return False
        return True


def _is_common(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    matches = sum(pattern.fullmatch(value) is not None for value in values)
    return bool(values) and matches >= SHARE_OF_VALUES * len(values)
