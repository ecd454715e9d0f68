"""Open a catalogue file: detect its format, encoding and columns, then read its rows one by one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from infra.catalogue_files.cell_values import category_of, text_of
from infra.catalogue_files.column_detection import FIELD_NAMES, Columns, detect_columns
from infra.catalogue_files.delimited import DelimitedFile, choose_delimiter
from infra.catalogue_files.encoding import Encoding, detect_encoding, read_start, sample_of
from infra.catalogue_files.json_records import JsonFile
from infra.catalogue_files.parquet import ParquetFile, is_parquet
from infra.catalogue_files.rows import CatalogueRow, Record, RowReader, own_names_are_leaves
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.source import NAME_LIMIT

TAB_SEPARATED = frozenset({".tsv", ".tab"})
DELIMITED = frozenset({".csv", *TAB_SEPARATED})
JSON_LINES = frozenset({".ndjson", ".jsonl", ".json"})
# File names that do not say where the listings come from; the name of their folder does.
GENERIC_NAMES = frozenset(
    {"listings", "listing", "products", "product", "catalogue", "catalog", "data", "items", "export", "train", "test"}
)


class CatalogueFile(Protocol):
    """A file in some format, which can be read any number of times."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns, each once."""
        ...

    @property
    def declared(self) -> Mapping[str, str]:
        """The columns whose field the file itself declares, by field."""
        ...

    @property
    def warning(self) -> str | None:
        """What to know about how the file is read, or None."""
        ...

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:
        """Its records in order, without the first ``start``: values of ``columns`` at least, or a problem."""
        ...

    def count(self, columns: Columns) -> int:
        """The number of records: exact, or for large files an estimate."""
        ...


@dataclass(frozen=True)
class Catalogue:
    """An opened catalogue; every iteration reads the file again, lazily.

    ``columns`` maps fields to the file's columns; ``attribute_columns`` become attributes; ``left_out`` are the others;
    ``count_hint`` is the number of rows: exact for Parquet and up to 16 MiB, else an estimate by size.
    """

    path: Path
    columns: Mapping[str, str]
    attribute_columns: tuple[str, ...]
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    count_hint: int
    _file: CatalogueFile
    _drop_own_names: bool

    def __iter__(self) -> Iterator[CatalogueRow]:
        """The rows in order, usable and rejected."""
        return self.rows()

    def rows(self, after: int = 0, known: Iterable[tuple[str, int]] = ()) -> Iterator[CatalogueRow]:
        """The rows beyond number ``after``, the same as when all are read.

        ``known`` are ids and numbers of the usable rows up to there: a later row with the same id is rejected.
        """
        columns = Columns(self.columns, self.attribute_columns)
        reader = RowReader(columns, drop_own_names=self._drop_own_names, known=known)
        records = self._file.records(columns, after)
        return (reader.read(number, record) for number, record in enumerate(records, after + 1))


def open_catalogue(path: Path, *, columns: Mapping[str, str] | None = None) -> Catalogue:
    """Open a CSV, TSV, NDJSON, JSON or Parquet file; chosen ``columns`` (see ``read_choices``) have precedence.

    Raises InvalidCatalogue, which says what to do: no file, a folder, empty, binary, damaged, no row, or no usable
    column.
    """
    file = open_file(path)
    detected = detect_columns(file.columns, columns, file.declared)
    texts = {field: column for field, column in detected.fields.items() if field in ("external_id", "name", "category")}
    sample = sample_of(file.records(Columns(texts, ())))
    if not sample:
        raise InvalidCatalogue(f"{path} has a header and no row; give a file with at least one row")
    if all(record.values is None for record in sample):
        raise InvalidCatalogue(f"no row of {path} can be read: {sample[0].problem}")
    warnings = [file.warning] if file.warning else []
    if "external_id" not in detected.fields:
        warnings.append("no column holds an id: rows are known by their content only")
    left_out = tuple(column for column in file.columns if column not in detected.used())
    return Catalogue(
        path,
        detected.fields,
        detected.attributes,
        left_out,
        tuple(warnings),
        file.count(detected),
        file,
        _leaves_are_own_names(sample, detected),
    )


def open_file(path: Path) -> CatalogueFile:
    """Open a file in its format. Raises InvalidCatalogue, which says what to do, when it has none of the formats."""
    start = read_start(path)
    for has_format, open_format in FORMATS:
        if has_format(path, start):
            return open_format(path)
    encoding = detect_encoding(path)
    head = encoding.head(path)
    for has_text_format, open_text_format in TEXT_FORMATS:
        if has_text_format(path.suffix.lower(), head.lstrip("\ufeff \t\r\n")[:1]):
            return open_text_format(path, encoding, head)
    return _open_delimited(path, encoding, head)


def catalogue_name(path: Path) -> str:
    """The file's name without its suffixes, or that of its folder where the file's says nothing; fit for a source."""
    stem = path.name.split(".")[0] or path.stem
    folder = path.resolve().parent.name
    return (folder if stem.lower() in GENERIC_NAMES and folder else stem)[:NAME_LIMIT]


def file_fingerprint(path: Path, columns: Mapping[str, str], images: Path | None) -> str:
    """SHA-256 (hex) of a file's bytes, the columns chosen for it, and the folder of its photos."""
    with path.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    parts = [content, sorted(columns.items()), str(images.resolve()) if images else None]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _leaves_are_own_names(sample: Sequence[Record], columns: Columns) -> bool:
    category_column, name_column = columns.fields.get("category", ""), columns.fields.get("name", "")
    pairs = []
    for record in sample:
        if record.values:
            category, _ = category_of(record.values.get(category_column))
            if category is not None:
                pairs.append((category, text_of(record.values.get(name_column))))
    return own_names_are_leaves(pairs)


def _open_delimited(path: Path, encoding: Encoding, head: str) -> CatalogueFile:
    known = chain.from_iterable(FIELD_NAMES.values())
    delimiter = "\t" if path.suffix.lower() in TAB_SEPARATED else choose_delimiter(head, known)
    return DelimitedFile(path, encoding, delimiter)


def _open_json_array(path: Path, encoding: Encoding, _head: str) -> CatalogueFile:
    return JsonFile(path, encoding, array=True)


def _open_json_lines(path: Path, encoding: Encoding, _head: str) -> CatalogueFile:
    return JsonFile(path, encoding, array=False)


# In the order in which they are tried: whether a file, by its path and first bytes, has the format, and its reader.
FORMATS: Sequence[tuple[Callable[[Path, bytes], bool], Callable[[Path], CatalogueFile]]] = ((is_parquet, ParquetFile),)
# The same for formats that are text: by suffix and first character.
TEXT_FORMATS: Sequence[tuple[Callable[[str, str], bool], Callable[[Path, Encoding, str], CatalogueFile]]] = (
    (lambda suffix, _first: suffix in DELIMITED, _open_delimited),
    (lambda _suffix, first: first == "[", _open_json_array),
    (lambda suffix, first: first == "{" or suffix in JSON_LINES, _open_json_lines),
)
