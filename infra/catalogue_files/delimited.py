"""CSV and TSV files, read so that a broken row costs that row and not the ones after it."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TextIO

from infra.catalogue_files.cell_values import text_of
from infra.catalogue_files.column_detection import Columns, is_known_name
from infra.catalogue_files.column_shapes import ColumnShapes
from infra.catalogue_files.encoding import Encoding, count_records, sample_of
from infra.catalogue_files.rows import MAX_RECORD, Record
from infra.catalogue_files.table_header import LOOKED_AT, declared_delimiter, find_header
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

DELIMITERS = (",", ";", "\t", "|")
MAX_LINES_OF_A_RECORD = 5_000
SHAPE_ROWS = 1_000  # that the shapes of columns are learned from
ENOUGH_IDS = 20
SHARE_OF_IDS = 0.95


@dataclass(frozen=True, slots=True)
class IdPattern:
    """A pattern of ids. A ``specific`` one hardly fits by chance: a record whose id does not fit is no row."""

    name: Reason
    pattern: re.Pattern[str]
    specific: bool

    def fits(self, text: str) -> bool:
        """Whether the text could be an id of this catalogue."""
        return self.pattern.fullmatch(text.strip()) is not None


# From the narrowest to the widest.
ID_PATTERNS = (
    IdPattern(
        Reason(ReasonCode.ID_IS_UUID), re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), specific=True
    ),
    IdPattern(Reason.of(ReasonCode.ID_IS_HEXADECIMAL, digits=32), re.compile(r"[0-9a-fA-F]{32}"), specific=True),
    IdPattern(Reason.of(ReasonCode.ID_IS_HEXADECIMAL, digits=24), re.compile(r"[0-9a-fA-F]{24}"), specific=True),
    IdPattern(Reason.of(ReasonCode.ID_IS_HEXADECIMAL, digits=40), re.compile(r"[0-9a-fA-F]{40}"), specific=True),
    IdPattern(Reason.of(ReasonCode.ID_IS_HEXADECIMAL, digits=64), re.compile(r"[0-9a-fA-F]{64}"), specific=True),
    IdPattern(Reason(ReasonCode.ID_IS_ASIN), re.compile(r"B0[0-9A-Z]{8}"), specific=True),
    IdPattern(Reason(ReasonCode.ID_IS_DIGITS), re.compile(r"\d{1,20}"), specific=False),
    IdPattern(Reason(ReasonCode.ID_IS_ONE_WORD), re.compile(r"\S{1,200}"), specific=False),
)


class DelimitedFile:
    """The records of a file with a header. ``columns`` are its names, made unique."""

    declared: Mapping[str, str] = MappingProxyType({})

    def __init__(self, path: Path, encoding: Encoding, delimiter: str) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_RECORD))
        self._path, self._encoding, self._delimiter = path, encoding, delimiter
        self._shapes: ColumnShapes | None = None
        self._patterns: dict[str, IdPattern | None] = {}
        self._quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
        if delimiter == "\t" and _has_plain_quotes(encoding.head(path)):
            self._quoting = csv.QUOTE_NONE
        with encoding.open(path) as stream:
            first = [record.fields for record in islice(self._split(stream), LOOKED_AT)]
        header = find_header(first)
        self.columns, self._skipped = header.names, header.rows
        if len(self.columns) == 1 and not is_known_name(self.columns[0]):
            raise InvalidCatalogue(
                f"{path} is no table: no line of it has a comma, a semicolon, a tab or a |, and its first line is "
                f"'{self.columns[0][:80]}'; export the products as CSV, XLSX, JSON or XML"
            )
        self.warning = "; ".join(filter(None, (encoding.warning, header.note))) or None

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:
        """The records after the header, in order and without the first ``start``; one that cannot be a row has a
        problem.

        Where the ids follow a pattern, a record that swallowed the start of another is cut there, and reading continues
        from that start.
        """
        id_column = columns.fields.get("external_id")
        return islice(self._all(id_column, self._id_pattern(id_column) if id_column else None), start, None)

    def count(self, columns: Columns) -> int:
        """The number of records, for large files an estimate."""
        return count_records(self._path, self._encoding, self.records(columns))

    def _split(self, stream: TextIO) -> _RecordSplitter:
        return _RecordSplitter(stream, self._delimiter, self._quoting)

    def _column_shapes(self) -> ColumnShapes:
        if self._shapes is None:
            width = len(self.columns)
            with self._encoding.open(self._path) as stream:
                rows = [raw.fields for raw in islice(self._split(stream), self._skipped, self._skipped + SHAPE_ROWS)]
            self._shapes = ColumnShapes.of([row for row in rows if len(row) == width], width)
        return self._shapes

    def _id_pattern(self, id_column: str) -> IdPattern | None:
        if id_column not in self._patterns:
            sample = sample_of(self._all())
            ids = [text_of(record.values[id_column]) for record in sample if record.values]
            self._patterns[id_column] = detect_id_pattern(ids)
        return self._patterns[id_column]

    def _all(self, id_column: str | None = None, pattern: IdPattern | None = None) -> Iterator[Record]:
        check = _IdCheck(self.columns.index(id_column), pattern) if id_column is not None and pattern else None
        with self._encoding.open(self._path) as stream:
            splitter = self._split(stream)
            after_broken = False
            for raw in islice(splitter, self._skipped, None):
                if not any(raw.fields) and len(raw.lines) == 1 and not raw.overrun:
                    continue  # a blank line is no row
                record = self._check(raw, splitter, check, after_broken=after_broken)
                after_broken = record.values is None
                yield record

    def _check(
        self, raw: _RawRecord, splitter: _RecordSplitter, check: _IdCheck | None, *, after_broken: bool
    ) -> Record:
        width = len(self.columns)
        # Empty cells at the end of a row do no harm, unless a separator too many shifted the others.
        has_excess = any(raw.fields[width:]) or self._quoting == csv.QUOTE_NONE
        has_excess = has_excess or (len(raw.fields) > width and not self._column_shapes().fit(raw.fields))
        fields = raw.fields if has_excess else raw.fields[:width]
        specific = check is not None and check.pattern.specific
        swallowed = self._first_start(raw.lines, check if specific else None) if len(raw.lines) > 1 else None
        if raw.broken or len(fields) != width or (swallowed is not None and specific):
            if swallowed is not None:
                splitter.push_back(raw.lines[swallowed:])
            return Record(raw.line, None, self._breakage(raw, len(fields), swallowed))
        # After a broken row, pieces of it may happen to have the right number of columns.
        if check is not None and (specific or after_broken) and not check.fits(fields):
            shown = " ".join(fields[check.index].split())[:40]
            return Record(raw.line, None, Reason.of(ReasonCode.ID_UNLIKE_OTHERS, id=shown, pattern=check.pattern.name))
        return Record(raw.line, dict(zip(self.columns, fields, strict=True)))

    def _breakage(self, raw: _RawRecord, fields: int, swallowed: int | None) -> Reason:
        if swallowed is not None:
            return Reason(ReasonCode.QUOTE_RAN_ON)
        if raw.overrun:
            return Reason.of(ReasonCode.ROW_TOO_LONG, limit=MAX_RECORD)
        if fields == len(self.columns):
            return Reason(ReasonCode.QUOTE_NOT_CLOSED)
        return Reason.of(ReasonCode.COLUMNS_MISMATCH, n=fields, expected=len(self.columns))

    def _first_start(self, lines: Sequence[str], check: _IdCheck | None) -> int | None:
        """The first line, after the first, that looks like the start of a record."""
        for number, line in enumerate(lines[1:], 1):
            fields = next(csv.reader([line], delimiter=self._delimiter, quoting=self._quoting), [])
            if check is not None:
                if len(fields) > check.index + 1 and check.fits(fields):
                    return number
            elif len(fields) == len(self.columns) > 1 and line.count('"') % 2 == 0:
                return number
        return None


@dataclass(frozen=True, slots=True)
class _IdCheck:
    """The position of the id among the fields, and the pattern it follows."""

    index: int
    pattern: IdPattern

    def fits(self, fields: Sequence[str]) -> bool:
        return self.pattern.fits(fields[self.index])


class _RawRecord:
    def __init__(self, line: int, lines: list[str], fields: list[str], *, overrun: bool) -> None:
        self.line, self.lines, self.fields, self.overrun = line, lines, fields, overrun
        # Quotes come in pairs: a record of several lines with an odd number swallowed lines that are not its own.
        self.broken = overrun or (len(lines) > 1 and sum(line.count('"') for line in lines) % 2 == 1)


class _RecordSplitter:
    """Splits a stream into records, remembers the lines of each, and takes lines back."""

    def __init__(self, stream: TextIO, delimiter: str, quoting: Literal[0, 3] = csv.QUOTE_MINIMAL) -> None:
        self._stream = stream
        self._delimiter = delimiter
        self._quoting: Literal[0, 3] = quoting
        self._waiting: deque[str] = deque()
        self._line = 0

    def push_back(self, lines: Sequence[str]) -> None:
        self._waiting.extendleft(reversed(lines))
        self._line -= len(lines)

    def __iter__(self) -> Iterator[_RawRecord]:
        while True:
            start = self._line + 1
            lines: list[str] = []
            self._overrun = False
            try:
                fields = next(
                    csv.reader(self._read_lines(lines), delimiter=self._delimiter, quoting=self._quoting), None
                )
            except csv.Error:
                fields, self._overrun = [], True
            if fields is None:
                return
            yield _RawRecord(start, lines, fields, overrun=self._overrun)

    def _read_lines(self, lines: list[str]) -> Iterator[str]:
        """The next lines, each added to ``lines`` as well."""
        size = 0
        while True:
            if size > MAX_RECORD or len(lines) >= MAX_LINES_OF_A_RECORD:
                self._overrun = True
                return
            line = self._waiting.popleft() if self._waiting else self._next_line()
            if not line:
                return
            self._line += 1
            size += len(line)
            lines.append(line)
            yield line

    def _next_line(self) -> str:
        line = self._stream.readline(MAX_RECORD + 1)
        if len(line) > MAX_RECORD and not line.endswith(("\n", "\r")):
            self._overrun = True
            while (rest := self._stream.readline(MAX_RECORD)) and not rest.endswith(("\n", "\r")):
                continue
        return line


def _has_plain_quotes(sample: str) -> bool:
    """Whether quotes in tab-separated lines are characters like others: inches, and names in quotes.

    Product feeds and the export of Open Food Facts never quote a cell. Then every line has all columns by itself, and
    some cell begins with a quote and goes on behind the next one.
    """
    lines = sample.splitlines()[:-1] or sample.splitlines()
    rows = [line.split("\t") for line in lines if line]
    widths = Counter(map(len, rows))
    if not rows or max(widths.values()) < 0.8 * len(rows):
        return False
    quoted = [cell for row in rows for cell in row if cell.startswith('"')]
    return any(len(cell) < 2 or not cell.endswith('"') or cell[1:-1].count('"') % 2 for cell in quoted)


def choose_delimiter(sample: str) -> str:
    """The delimiter under which a row has most known names, then the most frequent number of columns is largest.

    A first line such as ``sep=;`` declares it. A comma where all are equal.
    """
    lines = sample.splitlines(keepends=True)
    if lines and (declared := declared_delimiter(lines[0])):
        return declared

    def merit(delimiter: str) -> tuple[int, int]:
        try:
            rows = list(islice(csv.reader(lines, delimiter=delimiter), LOOKED_AT))
        except csv.Error:
            return 0, 0
        known = max((sum(map(is_known_name, filter(None, row))) for row in rows), default=0)
        widths = Counter(len(row) for row in rows if any(row))
        return known, max(widths, key=lambda width: (widths[width], width), default=0)

    return max(DELIMITERS, key=merit)


def detect_id_pattern(ids: Sequence[str]) -> IdPattern | None:
    """The narrowest pattern of at least 95 % of the ids; None when there are fewer than 20 or it has none."""
    if len(ids) < ENOUGH_IDS:
        return None
    return next((one for one in ID_PATTERNS if sum(map(one.fits, ids)) >= SHARE_OF_IDS * len(ids)), None)
