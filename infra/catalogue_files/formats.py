"""The formats of catalogue files, in the order in which they are tried, and which of them a file is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Protocol

from infra.catalogue_files.columns import FIELD_NAMES, Columns
from infra.catalogue_files.delimited import DelimitedFile, choose_delimiter
from infra.catalogue_files.encoding import Encoding, detect_encoding, read_start
from infra.catalogue_files.json_records import JsonFile
from infra.catalogue_files.parquet import ParquetFile, is_parquet
from infra.catalogue_files.record import Record

BY_TAB = frozenset({".tsv", ".tab"})
DELIMITED = frozenset({".csv", *BY_TAB})
LINES = frozenset({".ndjson", ".jsonl", ".json"})


class CatalogueFile(Protocol):
    """A file of some format, ready to be read again and again."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns, each once."""
        ...

    @property
    def declared(self) -> Mapping[str, str]:
        """The columns whose field the file itself tells, by field."""
        ...

    @property
    def warning(self) -> str | None:
        """What a person should know of how it is read."""
        ...

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:
        """Its records in order, without the first ``start``; values of ``columns`` at least, or a problem."""
        ...

    def count(self, columns: Columns) -> int:
        """The number of records: exact, or for large files an estimate."""
        ...


def open_file(path: Path) -> CatalogueFile:
    """Open a file in its format. Raises InvalidCatalogue, which says what to do, when it is of none."""
    start = read_start(path)
    for told, opened in FORMATS:
        if told(path, start):
            return opened(path)
    encoding = detect_encoding(path)
    head = encoding.head(path)
    for fits, made in TEXT_FORMATS:
        if fits(path.suffix.lower(), head.lstrip("﻿ \t\r\n")[:1]):
            return made(path, encoding, head)
    return _delimited(path, encoding, head)


def _delimited(path: Path, encoding: Encoding, head: str) -> CatalogueFile:
    known = chain.from_iterable(FIELD_NAMES.values())
    return DelimitedFile(path, encoding, "\t" if path.suffix.lower() in BY_TAB else choose_delimiter(head, known))


# A row: whether a file, by its path and first bytes, is in the format, and its reader.
FORMATS: Sequence[tuple[Callable[[Path, bytes], bool], Callable[[Path], CatalogueFile]]] = ((is_parquet, ParquetFile),)
# The same for formats that are text: by suffix and first character.
TEXT_FORMATS: Sequence[tuple[Callable[[str, str], bool], Callable[[Path, Encoding, str], CatalogueFile]]] = (
    (lambda suffix, first: suffix in DELIMITED, _delimited),
    (lambda suffix, first: first == "[", lambda path, encoding, head: JsonFile(path, encoding, array=True)),
    (
        lambda suffix, first: first == "{" or suffix in LINES,
        lambda path, encoding, head: JsonFile(path, encoding, array=False),
    ),
)
