"""Find the header of a table: behind blank lines, a title, comments or the several header rows of marketplaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from infra.catalogue_files.column_detection import is_known_name, unique_names

LOOKED_AT = 30  # rows
MAX_NAME_LENGTH = 80  # characters of a column's name; a longer cell is data
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:E[+-]?\d+)?", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?:)?//\S+", re.IGNORECASE)
_DELIMITER_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TableHeader:
    """The names of the columns, each once; ``rows`` to pass over, the header included; ``note`` says which and why.

    ``is_missing``: the first row is data already, and the columns are only numbered.
    """

    names: list[str]
    rows: int
    note: str | None = None
    is_missing: bool = False


def find_header(rows: Sequence[Sequence[str]]) -> TableHeader:
    """The header among the first rows of a table.

    It is the first row with the name of a known field, and the last one where several such rows follow each other;
    without any, the first row of at least two cells, unless it looks like data.
    """
    filled = [[cell.strip().strip("\ufeff").strip() for cell in row] for row in rows[:LOOKED_AT]]
    width = max((sum(map(bool, row)) for row in filled), default=0)
    known = [sum(map(is_known_name, filter(None, row))) for row in filled]
    start = next((at for at, row in enumerate(filled) if not _is_preamble(row, width)), 0)
    best = next((at for at in range(len(filled)) if known[at] >= min(2, width) and _looks_like_names(filled[at])), None)
    if best is None or (best > start and known[best] < 2 and _looks_like_names(filled[start])):
        if start < len(filled) and not _looks_like_names(filled[start]):
            names = [f"column {number}" for number in range(1, len(filled[start]) + 1)]
            missing = "the file has no header: its columns are called column 1, column 2 and so on"
            return TableHeader(names, start, missing, is_missing=True)
        best = start
    while best + 1 < len(filled) and _is_second_header(filled[best + 1], known[best + 1]):
        best += 1
    note: str | None = None
    if best:
        lines = "line 1 before the header was" if best == 1 else f"the first {best} lines before the header were"
        note = f"{lines} passed over"
    return TableHeader(unique_names(filled[best]) if filled else [], best + 1, note)


def declared_delimiter(line: str) -> str | None:
    """The delimiter that a first line such as ``sep=;`` declares, as spreadsheets write it."""
    found = _DELIMITER_LINE.fullmatch(line.strip("\ufeff\r\n "))
    return found[1] if found else None


def _is_preamble(row: Sequence[str], width: int) -> bool:
    """Whether a row is blank, a comment, or a title in one cell of a wider table."""
    cells = [cell for cell in row if cell]
    if not cells:
        return True
    is_comment = cells[0].startswith(("#", "//")) and not is_known_name(cells[0].lstrip("#/ "))
    return width > 1 and (len(cells) == 1 or is_comment or declared_delimiter(cells[0]) is not None)


def _looks_like_names(row: Sequence[str]) -> bool:
    cells = [cell for cell in row if cell]
    return bool(cells) and not any(
        len(cell) > MAX_NAME_LENGTH or _NUMBER.fullmatch(cell) or _ADDRESS.match(cell) for cell in cells
    )


def _is_second_header(row: Sequence[str], known: int) -> bool:
    cells = [cell for cell in row if cell]
    return known >= 3 and known >= 0.6 * len(cells) and _looks_like_names(cells) and len(set(cells)) == len(cells)
