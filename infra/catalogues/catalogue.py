"""Opening a catalogue file: its format, encoding and columns found out, its rows read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

from infra.catalogues.columns import FIELD_NAMES, Columns, detect_columns
from infra.catalogues.delimited import DelimitedFile, choose_delimiter
from infra.catalogues.encoding import detect_encoding
from infra.catalogues.identifiers import IdRule, learn_rule
from infra.catalogues.json_records import JsonFile
from infra.catalogues.limits import MAX_RECORDS_LOOKED_AT, SAMPLE_BYTES, SAMPLE_RECORDS
from infra.catalogues.record import CatalogueRow, Record
from infra.catalogues.rows import RowMaker, own_names_are_leaves
from infra.catalogues.values import category_of, text_of
from pipeline.domain.errors import InvalidCatalogue

# Files up to this size are read once more to count their rows: well under a second.
COUNTED_BYTES = 16 << 20


@dataclass(frozen=True)
class Catalogue:
    """An opened catalogue; every iteration reads the file again, lazily.

    ``columns`` maps fields to the file's columns; ``attribute_columns`` become attributes; ``count_hint`` is the
    number of rows: exact up to 16 MiB, else an estimate by size.
    """

    path: Path
    columns: Mapping[str, str]
    attribute_columns: tuple[str, ...]
    warnings: tuple[str, ...]
    count_hint: int
    _records: Callable[[], Iterator[Record]]
    _drop_own_names: bool

    def __iter__(self) -> Iterator[CatalogueRow]:
        """The rows in their order, good and rejected."""
        maker = RowMaker(Columns(self.columns, self.attribute_columns), self._drop_own_names)
        return (maker.make(number, record) for number, record in enumerate(self._records(), 1))


def open_catalogue(path: Path, *, columns: Mapping[str, str] | None = None) -> Catalogue:
    """Open a CSV, TSV, NDJSON or JSON file; ``columns`` (field to column name) overrides what is detected.

    Raises InvalidCatalogue, which says what to do: no file, a folder, empty, binary, no row, or no usable column.
    """
    encoding, warning = detect_encoding(path)
    warnings = [warning] if warning else []
    with path.open(encoding=encoding, errors="replace", newline="") as stream:
        head = stream.read(SAMPLE_BYTES)
    file: DelimitedFile | JsonFile
    kind = _kind(path, head)
    if kind == "delimited":
        known = chain.from_iterable(FIELD_NAMES.values())
        by_tab = path.suffix.lower() in {".tsv", ".tab"}
        file = DelimitedFile(path, encoding, "\t" if by_tab else choose_delimiter(head, known))
    else:
        file = JsonFile(path, encoding, array=kind == "array")
    sample = _sample(file.records())
    if not sample:
        raise InvalidCatalogue(f"{path} has a header and no row; give a file with at least one row")
    if not file.columns:
        raise InvalidCatalogue(f"{path} holds no JSON object; give one object a line: {sample[0].problem}")
    found = detect_columns(file.columns, columns)
    if "external_id" not in found.fields:
        warnings.append("no column holds an id: rows are known by their content only")
    records: Callable[[], Iterator[Record]] = file.records
    if isinstance(file, DelimitedFile) and (id_column := found.fields.get("external_id")):
        rule = _rule(sample, id_column)
        records = partial(file.records, id_column, rule)
        sample = _sample(records())
    count = sum(1 for _ in records()) if path.stat().st_size <= COUNTED_BYTES else _estimate(path, head, sample)
    return Catalogue(path, found.fields, found.attributes, tuple(warnings), count, records, _own_names(sample, found))


def _kind(path: Path, head: str) -> str:
    suffix, start = path.suffix.lower(), head.lstrip("﻿ \t\r\n")[:1]
    if suffix in {".csv", ".tsv", ".tab"}:
        return "delimited"
    if start == "[":
        return "array"
    return "lines" if start == "{" or suffix in {".ndjson", ".jsonl", ".json"} else "delimited"


def _sample(records: Iterator[Record]) -> list[Record]:
    # Enough good records to learn from, even where a broken stretch comes first.
    sample: list[Record] = []
    good = 0
    for record in islice(records, MAX_RECORDS_LOOKED_AT):
        sample.append(record)
        good += record.values is not None
        if good >= SAMPLE_RECORDS:
            break
    return sample


def _rule(sample: list[Record], id_column: str) -> IdRule | None:
    return learn_rule([text_of(record.values[id_column]) for record in sample if record.values])


def _own_names(sample: list[Record], columns: Columns) -> bool:
    category_column, name_column = columns.fields.get("category", ""), columns.fields.get("name", "")
    pairs = []
    for record in sample:
        if record.values:
            category, _ = category_of(record.values.get(category_column))
            if category is not None:
                pairs.append((category, text_of(record.values.get(name_column))))
    return own_names_are_leaves(pairs)


def _estimate(path: Path, head: str, sample: list[Record]) -> int:
    lines = max(sample[-1].line, 1)
    read = head.splitlines(keepends=True)[:lines]
    size = sum(len(line.encode()) for line in read) or 1
    return max(len(sample), round(len(sample) * path.stat().st_size / size * min(1.0, len(read) / lines)))
