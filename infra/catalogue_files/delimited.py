"""CSV and TSV, read so that one broken row costs that row and not the ones after it."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from infra.catalogue_files.columns import Columns, unique_names
from infra.catalogue_files.encoding import Encoding, count_records, sample_of
from infra.catalogue_files.record import MAX_RECORD, Record
from infra.catalogue_files.rows import IdRule, learn_rule
from infra.catalogue_files.values import text_of

DELIMITERS = (",", ";", "\t", "|")
MAX_LINES_OF_A_RECORD = 5_000


class DelimitedFile:
    """The records of a file with a header. ``columns`` are its names, made unique."""

    declared: Mapping[str, str] = MappingProxyType({})

    def __init__(self, path: Path, encoding: Encoding, delimiter: str) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_RECORD))
        self._path, self._encoding, self._delimiter = path, encoding, delimiter
        self.warning = encoding.warning
        self._rules: dict[str, IdRule | None] = {}
        with encoding.open(path) as stream:
            first = next(iter(_Records(stream, delimiter)), None)
        self.columns = unique_names(first.fields if first else [])

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:
        """The records after the header, in order and without the first ``start``; what cannot be a row has a problem.

        Where the ids follow a rule, a record that swallowed the start of another is cut there, and reading goes on
        from that start.
        """
        id_column = columns.fields.get("external_id")
        return islice(self._all(id_column, self._rule(id_column) if id_column else None), start, None)

    def count(self, columns: Columns) -> int:
        """The number of records, for large files an estimate."""
        return count_records(self._path, self._encoding, self.records(columns))

    def _rule(self, id_column: str) -> IdRule | None:
        if id_column not in self._rules:
            sample = sample_of(self._all())
            ids = [text_of(record.values[id_column]) for record in sample if record.values]
            self._rules[id_column] = learn_rule(ids)
        return self._rules[id_column]

    def _all(self, id_column: str | None = None, rule: IdRule | None = None) -> Iterator[Record]:
        id_index = self.columns.index(id_column) if id_column is not None else None
        with self._encoding.open(self._path) as stream:
            source = _Records(stream, self._delimiter)
            debris_near = False
            for raw in islice(source, 1, None):
                if not any(raw.fields) and len(raw.lines) == 1 and not raw.overrun:
                    continue  # a blank line is no row
                record = self._judged(raw, source, id_index, rule, debris_near)
                debris_near = record.values is None
                yield record

    def _judged(
        self, raw: _Raw, source: _Records, id_index: int | None, rule: IdRule | None, debris_near: bool
    ) -> Record:
        width = len(self.columns)
        fields = raw.fields[:width] if not any(raw.fields[width:]) else raw.fields
        swallowed = self._first_start(raw.lines, id_index, rule) if len(raw.lines) > 1 else None
        if raw.broken or len(fields) != width or (swallowed is not None and rule is not None and rule.specific):
            if swallowed is not None:
                source.push_back(raw.lines[swallowed:])
                return Record(raw.line, None, "a quote was not closed: the row ran into the following ones")
            if raw.overrun:
                return Record(raw.line, None, f"the row does not end within {MAX_RECORD:,} characters")
            if len(fields) == width:
                return Record(raw.line, None, "a quote was not closed: where the row ends cannot be known")
            shown = f"{len(fields)} column{'s' * (len(fields) != 1)}"
            return Record(raw.line, None, f"{shown} instead of {width}: the row is cut or run together")
        # After a broken row, pieces of it may happen to have the right number of columns.
        strict = rule is not None and (rule.specific or debris_near)
        if rule is not None and id_index is not None and strict and not rule.fits(fields[id_index]):
            shown = " ".join(fields[id_index].split())[:40]
            return Record(raw.line, None, f"the id {shown!r} does not look like the others ({rule.name})")
        return Record(raw.line, dict(zip(self.columns, fields, strict=True)))

    def _first_start(self, lines: Sequence[str], id_index: int | None, rule: IdRule | None) -> int | None:
        for number, line in enumerate(lines[1:], 1):
            fields = next(csv.reader([line], delimiter=self._delimiter), [])
            if rule is not None and rule.specific and id_index is not None:
                if len(fields) > id_index + 1 and rule.fits(fields[id_index]):
                    return number
            elif len(fields) == len(self.columns) > 1 and line.count('"') % 2 == 0:
                return number
        return None


class _Raw:
    def __init__(self, line: int, lines: list[str], fields: list[str], overrun: bool) -> None:
        self.line, self.lines, self.fields, self.overrun = line, lines, fields, overrun
        # Quotes come in pairs: a record of several lines with an odd one swallowed what was not its own.
        self.broken = overrun or (len(lines) > 1 and sum(line.count('"') for line in lines) % 2 == 1)


class _Records:
    """Splits a stream into records, remembers the lines of each, and takes lines back."""

    def __init__(self, stream: Iterable[str], delimiter: str) -> None:
        self._read_line = stream.readline  # type: ignore[attr-defined]
        self._delimiter = delimiter
        self._waiting: deque[str] = deque()
        self._line = 0

    def push_back(self, lines: Sequence[str]) -> None:
        self._waiting.extendleft(reversed(lines))
        self._line -= len(lines)

    def __iter__(self) -> Iterator[_Raw]:
        while True:
            start = self._line + 1
            taken: list[str] = []
            self._overrun = False
            try:
                fields = next(csv.reader(self._lines_into(taken), delimiter=self._delimiter), None)
            except csv.Error:
                fields, self._overrun = [], True
            if fields is None:
                return
            yield _Raw(start, taken, fields, self._overrun)

    def _lines_into(self, taken: list[str]) -> Iterator[str]:
        size = 0
        while True:
            if size > MAX_RECORD or len(taken) >= MAX_LINES_OF_A_RECORD:
                self._overrun = True
                return
            line = self._waiting.popleft() if self._waiting else self._next_line()
            if not line:
                return
            self._line += 1
            size += len(line)
            taken.append(line)
            yield line

    def _next_line(self) -> str:
        line: str = self._read_line(MAX_RECORD + 1)
        if len(line) > MAX_RECORD and not line.endswith(("\n", "\r")):
            self._overrun = True
            while (rest := self._read_line(MAX_RECORD)) and not rest.endswith(("\n", "\r")):
                continue
        return line


def choose_delimiter(sample: str, known: Iterable[str]) -> str:
    """The delimiter under which the header has most ``known`` names, then most columns; a comma when nothing tells."""
    names = set(known)

    def merit(delimiter: str) -> tuple[int, int]:
        header = next(csv.reader(sample.splitlines(keepends=True), delimiter=delimiter), [])
        return sum(_plain(name) in names for name in header), len(header)

    return max(DELIMITERS, key=merit)


def _plain(name: str) -> str:
    return "_".join(name.strip().lower().split())
