"""Open a catalogue file: detect its format, encoding and columns, then read its rows one by one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.catalogue_files.columns import Columns, detect_columns
from infra.catalogue_files.encoding import sample_of
from infra.catalogue_files.formats import CatalogueFile, open_file
from infra.catalogue_files.record import CatalogueRow, Record
from infra.catalogue_files.rows import RowMaker, own_names_are_leaves
from infra.catalogue_files.values import category_of, text_of
from pipeline.domain.errors import InvalidCatalogue


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
        """The rows in their order, good and rejected."""
        return self.rows()

    def rows(self, after: int = 0, met: Iterable[tuple[str, int]] = ()) -> Iterator[CatalogueRow]:
        """The rows whose number is beyond ``after``, as they are when all are read.

        ``met`` are the ids and numbers of the good rows up to there: a later row of the same id is rejected.
        """
        columns = Columns(self.columns, self.attribute_columns)
        maker = RowMaker(columns, self._drop_own_names, met)
        records = self._file.records(columns, after)
        return (maker.make(number, record) for number, record in enumerate(records, after + 1))


def open_catalogue(path: Path, *, columns: Mapping[str, str] | None = None) -> Catalogue:
    """Open a CSV, TSV, NDJSON, JSON or Parquet file; ``columns`` (as ``read_choices`` gives them) come first.

    Raises InvalidCatalogue, which says what to do: no file, a folder, empty, binary, damaged, no row, or no usable
    column.
    """
    file = open_file(path)
    found = detect_columns(file.columns, columns, file.declared)
    texts = {field: column for field, column in found.fields.items() if field in ("external_id", "name", "category")}
    sample = sample_of(file.records(Columns(texts, ())))
    if not sample:
        raise InvalidCatalogue(f"{path} has a header and no row; give a file with at least one row")
    if all(record.values is None for record in sample):
        raise InvalidCatalogue(f"no row of {path} can be read: {sample[0].problem}")
    warnings = [file.warning] if file.warning else []
    if "external_id" not in found.fields:
        warnings.append("no column holds an id: rows are known by their content only")
    count = file.count(found)
    left_out = tuple(column for column in file.columns if column not in found.used())
    own_names = _own_names(sample, found)
    return Catalogue(path, found.fields, found.attributes, left_out, tuple(warnings), count, file, own_names)


def _own_names(sample: list[Record], columns: Columns) -> bool:
    category_column, name_column = columns.fields.get("category", ""), columns.fields.get("name", "")
    pairs = []
    for record in sample:
        if record.values:
            category, _ = category_of(record.values.get(category_column))
            if category is not None:
                pairs.append((category, text_of(record.values.get(name_column))))
    return own_names_are_leaves(pairs)


def fingerprint_of(file: Path, columns: Mapping[str, str], images: Path | None) -> str:
    """SHA-256 (hex) of a file's bytes, the columns chosen for it, and the folder of its photos."""
    with file.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    how = [content, sorted(columns.items()), str(images.resolve()) if images else None]
    return hashlib.sha256(json.dumps(how).encode()).hexdigest()
