"""Workbooks of Excel (XLSX): the rows of one sheet, its header behind titles and blank lines."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from infra.catalogue_files.column_detection import Columns, is_known_name
from infra.catalogue_files.rows import Record
from infra.catalogue_files.table_header import LOOKED_AT, find_header
from pipeline.domain.errors import InvalidCatalogue

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

MAX_UNPACKED_BYTES = 4_000_000_000  # of all its parts


class Spreadsheet:
    """The rows of the sheet that most looks like a list of products; the first one where none does."""

    declared: Mapping[str, str] = MappingProxyType({})

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked_bytes = sum(member.file_size for member in archive.infolist())
            if unpacked_bytes > MAX_UNPACKED_BYTES:
                raise InvalidCatalogue(f"{path} is too large to be read as a spreadsheet; save the sheet as CSV")
            heads = self._heads()
        except (zipfile.BadZipFile, KeyError, ValueError, OSError, TypeError, SyntaxError) as error:
            raise InvalidCatalogue(f"{path} is no spreadsheet that can be read; save the sheet as CSV") from error
        if not heads:
            raise InvalidCatalogue(f"{path} has no sheet with a row; save the sheet as CSV")
        self._sheet = max(heads, key=lambda name: _known_names(heads[name]))
        header = find_header(heads[self._sheet])
        self.columns = header.names
        self._skipped = header.rows
        others = [name for name in heads if name != self._sheet]
        notes = [header.note] if header.note else []
        if others:
            notes.append(
                f"the sheet '{self._sheet}' was read, and {len(others)} others were not: {', '.join(others[:5])}"
            )
        self.warning = "; ".join(notes) or None

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:  # noqa: ARG002 (all are read)
        """The rows after the header that are not blank, without the first ``start``."""
        return islice(self._records(), start, None)

    def count(self, columns: Columns) -> int:  # noqa: ARG002 (all are read)
        """The number of rows."""
        return sum(1 for _ in self._records())

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """The number and the cells of every row of the sheet that is not blank, its header included."""
        with self._open() as sheets:
            for number, row in enumerate(sheets[self._sheet].iter_rows(values_only=True), 1):
                cells = [_plain(cell) for cell in row]
                if any(cell not in (None, "") for cell in cells):
                    yield number, cells

    def _records(self) -> Iterator[Record]:
        for number, row in self.rows():
            cells = row[: len(self.columns)]
            if number > self._skipped and any(cell not in (None, "") for cell in cells):
                yield Record(number, dict(zip(self.columns, cells, strict=False)))

    def _heads(self) -> dict[str, list[list[str]]]:
        heads = {}
        with self._open() as sheets:
            for name, sheet in sheets.items():
                rows = [[_text(cell) for cell in row] for row in islice(sheet.iter_rows(values_only=True), LOOKED_AT)]
                if any(any(row) for row in rows):
                    heads[name] = [row[: _width(rows)] for row in rows]
        return heads

    @contextmanager
    def _open(self) -> Iterator[dict[str, ReadOnlyWorksheet]]:
        from openpyxl import load_workbook

        workbook = load_workbook(self._path, read_only=True, data_only=True)
        try:
            sheets = {}
            for sheet in workbook.worksheets:
                if sheet.sheet_state == "visible":
                    sheet.reset_dimensions()  # some programs write wrong ones
                    sheets[sheet.title] = sheet
            yield sheets
        finally:
            workbook.close()


def _known_names(rows: Sequence[Sequence[str]]) -> int:
    return max((sum(map(is_known_name, filter(None, row))) for row in rows), default=0)


def _width(rows: Sequence[Sequence[str]]) -> int:
    return max((at + 1 for row in rows for at, cell in enumerate(row) if cell), default=0)


def _text(cell: Any) -> str:
    plain = _plain(cell)
    return "" if plain is None else str(plain).strip()


def _plain(cell: Any) -> Any:
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return cell
