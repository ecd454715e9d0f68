"""Cells of CSV files for spreadsheets: a text that would be computed as a formula gets a quote in front."""

from __future__ import annotations

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_BLANKS = " \u00a0\n"


def guard_formula(text: str) -> str:
    """The text as a cell that no spreadsheet computes."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) or text.lstrip(_BLANKS).startswith(FORMULA_STARTS) else text


def unguarded(cell: str) -> str:
    """The text of a cell that ``guard_formula`` may have written."""
    return cell[1:] if cell.startswith("'") and guard_formula(cell[1:]) == cell else cell
