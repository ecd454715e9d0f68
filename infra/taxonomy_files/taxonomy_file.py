"""Read a file that lists the categories of a taxonomy: a table, JSON, or the text of Google's or Shopify's taxonomy."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from infra.catalogue_files.archives import ZIP_MAGIC, is_archive, is_spreadsheet, unpack
from infra.catalogue_files.category_cells import certain_path
from infra.catalogue_files.cell_values import text_of
from infra.catalogue_files.delimited import DELIMITERS
from infra.catalogue_files.encoding import detect_encoding, read_start
from infra.catalogue_files.spreadsheet import Spreadsheet
from infra.catalogue_files.table_header import declared_delimiter
from infra.taxonomy_files.listed_rows import MAX_ROWS, ListedRow, collect_categories
from infra.taxonomy_files.nested_json import json_rows
from infra.taxonomy_files.table import Row, columns_without_header, find_columns, table_rows
from infra.taxonomy_files.text_list import text_rows
from pipeline.domain.errors import InvalidCatalogue, InvalidInput
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.taxonomy import ListedTaxonomy

MAX_CELL = 2_000_000  # characters
MAX_BYTES = 256_000_000
HEADER_ROWS = 10  # rows among which a header may be
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab"})


def read_taxonomy(path: Path) -> ListedTaxonomy:
    """The categories of a file, in its order. Raises InvalidInput, which says what to do, when it lists none."""
    start = read_start(path)
    if is_archive(path, start):
        unpacked = unpack(path)
        return read_taxonomy(unpacked.path)
    if path.stat().st_size > MAX_BYTES:
        raise InvalidCatalogue(f"{path} is larger than {MAX_BYTES:,} bytes; a file of categories is smaller")
    if start.startswith(ZIP_MAGIC) and is_spreadsheet(path):
        return collect_categories(_rows_of_table(list(islice(Spreadsheet(path).rows(), MAX_ROWS))))
    encoding = detect_encoding(path)
    with encoding.open(path) as stream:
        return read_taxonomy_text(stream.read(), path.suffix.lower())


def read_taxonomy_text(text: str, suffix: str = "") -> ListedTaxonomy:
    """The categories of a text in any of the formats; the ``suffix`` of its file tells tables from plain lists."""
    text = text.lstrip("\ufeff")
    beginning = text.lstrip()
    if beginning[:200].lower().startswith(("<!doctype", "<html", "<?xml", "<rss")):
        raise InvalidInput(Reason(ReasonCode.NOT_A_TAXONOMY))
    if beginning.startswith(("[", "{")):
        return collect_categories(islice(json_rows(_parsed(beginning)), MAX_ROWS))
    lines = text.splitlines()
    rows = _delimited_rows(text, lines, suffix)
    return collect_categories(text_rows(lines) if rows is None else _rows_of_table(rows))


def _parsed(text: str) -> object:
    """The value of a JSON text; the objects of a file that has one per line, as a list."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise InvalidInput(Reason.of(ReasonCode.FILE_NOT_JSON, error=str(error)[:160])) from error


def _delimited_rows(text: str, lines: Sequence[str], suffix: str) -> list[Row] | None:
    """The rows of a table; None for a text that is none: without a header, and without the suffix of a table."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))
    content = [line[:MAX_CELL] for line in lines[:50] if line.strip() and not line.lstrip().startswith("#")]
    declared = declared_delimiter(content[0]) if content else None
    head = content[1 if declared else 0] if len(content) > bool(declared) else ""
    delimiters = [declared] if declared else ["\t"] if suffix in (".tsv", ".tab") else list(DELIMITERS)
    with_header = [each for each in delimiters if find_columns(next(csv.reader([head], delimiter=each), []))]
    is_path = ">" in head or "»" in head
    if with_header and not (is_path and suffix not in TABLE_SUFFIXES):
        delimiter = max(with_header, key=head.count)
    elif sum(len(certain_path(line)) > 1 for line in content) > 0.5 * len(content):
        return None  # a list of paths in one column: a comma in it belongs to a name
    elif suffix in TABLE_SUFFIXES or declared:
        delimiter = "\t" if suffix != ".csv" else max(delimiters, key=lambda each: _width(content, each))
    else:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[Row] = []
    try:
        for cells in islice(reader, MAX_ROWS):
            is_comment = bool(cells) and cells[0].lstrip().startswith("#")
            if any(cell.strip() for cell in cells) and not is_comment and not declared_delimiter(cells[0]):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        reason = Reason.of(ReasonCode.CATEGORY_ROWS_LEFT_OUT, n=1, row=reader.line_num, problem=str(error))
        raise InvalidInput(reason) from error
    if rows and len(rows[0][1]) == 1:
        rows = [(number, [delimiter.join(map(str, cells))]) for number, cells in rows]
    return rows


def _width(lines: Sequence[str], delimiter: str) -> int:
    """The number of cells into which a delimiter parts every line; 1 where the lines differ."""
    widths = {len(next(csv.reader([line], delimiter=delimiter), [])) for line in lines}
    return widths.pop() if len(widths) == 1 else 1


def _rows_of_table(rows: Sequence[Row]) -> Iterable[ListedRow]:
    for at, (_, cells) in enumerate(rows[:HEADER_ROWS]):
        if (columns := find_columns(cells)) is not None:
            return table_rows(rows[at + 1 :], columns)
    filled = [(number, [text_of(cell) for cell in cells]) for number, cells in rows]
    return table_rows(filled, columns_without_header(filled))
