"""Open a catalogue file: detect its format, encoding and columns, then read its rows one by one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from infra.catalogue_files.archives import (
    ZIP_MAGIC,
    UnpackedFile,
    is_archive,
    is_spreadsheet,
    other_spreadsheet,
    unpack,
)
from infra.catalogue_files.category_cells import CategoryReader
from infra.catalogue_files.cell_values import prose_of, text_of
from infra.catalogue_files.column_detection import ROUNDED_NUMBER, Columns, detect_columns, ids_of
from infra.catalogue_files.delimited import DelimitedFile, choose_delimiter
from infra.catalogue_files.encoding import Encoding, detect_encoding, read_start, sample_of
from infra.catalogue_files.json_document import LIST_KEYS, NAME_KEYS, JsonDocument
from infra.catalogue_files.json_records import JsonFile
from infra.catalogue_files.parquet import ParquetFile, is_parquet
from infra.catalogue_files.rows import CatalogueRow, OwnNames, Record, RowReader
from infra.catalogue_files.spreadsheet import Spreadsheet
from infra.catalogue_files.variant_rows import VariantMode
from infra.catalogue_files.xml_feed import XmlFeed
from pipeline.domain.category_notation import RECOGNISED, CategoryNotation
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.source import NAME_LIMIT

SEPARATE = VariantMode.SEPARATE
ONE_OBJECT_PER_LINE = frozenset({".ndjson", ".jsonl"})
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
class CatalogueOptions:
    """How a catalogue is read, where it leaves a choice."""

    variants: VariantMode = VariantMode.ONE_LISTING
    notation: CategoryNotation = RECOGNISED


@dataclass(frozen=True)
class Catalogue:
    """An opened catalogue; every iteration reads the file again, lazily.

    ``columns`` maps fields to the file's columns, those of one path joined by ``+``; ``attribute_columns`` become
    attributes; ``left_out`` are the others; ``examples`` is the first value of each field. ``platform`` names the
    program that exports such files, where it is recognised. ``count_hint`` is the number of rows: exact for Parquet and
    up to 16 MiB, else an estimate by size.
    """

    path: Path
    columns: Mapping[str, str]
    attribute_columns: tuple[str, ...]
    left_out: tuple[str, ...]
    examples: Mapping[str, str]
    platform: str | None
    warnings: tuple[str, ...]
    count_hint: int
    _file: CatalogueFile
    _detected: Columns
    _categories: CategoryReader
    _own_names: OwnNames
    _options: CatalogueOptions

    def __iter__(self) -> Iterator[CatalogueRow]:
        """The rows in order, usable and rejected."""
        return self.rows()

    def rows(self, after: int = 0, known: Iterable[tuple[str, int]] = ()) -> Iterator[CatalogueRow]:
        """The rows beyond number ``after``, the same as when all are read.

        ``known`` are ids and numbers of the usable rows up to there: a later row with the same id is rejected. Where
        rows may be variants of earlier ones, those are read again.
        """
        has_parents = "parent" in self._detected.fields
        start = 0 if has_parents else after
        reader = RowReader(
            self._detected,
            self._categories,
            self._own_names,
            variants=self._options.variants,
            known=() if has_parents else known,
        )
        records = self._file.records(self._detected, start)
        rows = (reader.read(number, record) for number, record in enumerate(records, start + 1))
        return islice(rows, after - start, None)


def open_catalogue(
    path: Path, *, columns: Mapping[str, str] | None = None, options: CatalogueOptions | None = None
) -> Catalogue:
    """Open a catalogue file in any of the formats; chosen ``columns`` (see ``read_choices``) have precedence.

    Raises InvalidCatalogue, which says what to do: no file, a folder, empty, binary, damaged, no row, or no usable
    column.
    """
    options = options or CatalogueOptions()
    file = open_file(path)
    candidates = detect_columns(file.columns, columns, file.declared) if isinstance(file, ParquetFile) else None
    # Photos in the file itself are large, and nothing is judged by them.
    wanted = tuple(c for c in file.columns if candidates is None or c != candidates.fields.get("image"))
    sample = sample_of(file.records(Columns({}, wanted)))
    if not sample:
        raise InvalidCatalogue(f"{path} has a header and no row; give a file with at least one row")
    if all(record.values is None for record in sample):
        raise InvalidCatalogue(f"no row of {path} can be read: {sample[0].problem}")
    values = [record.values for record in sample if record.values is not None]
    if candidates is not None and "image" in candidates.fields:
        values = [{**record, candidates.fields["image"]: b"photo"} for record in values]
    detected = detect_columns(file.columns, columns, file.declared, values, separate=options.variants is SEPARATE)
    cells = [record.get(detected.fields.get("category", "")) for record in values]
    categories = CategoryReader.of(
        () if detected.category_path else cells,
        options.notation,
        comma_parts_paths=detected.platform is not None and detected.platform.comma_parts_paths,
        list_is_path=detected.platform is not None and detected.platform.list_is_path,
    )
    names = [text_of(record.get(detected.fields.get("name", ""))) for record in values]
    paths = [categories.read(cell).category for cell in cells] if not detected.category_path else []
    own_names = OwnNames.of([(path, name) for path, name in zip(paths, names, strict=False) if path is not None])
    return Catalogue(
        path,
        detected.fields,
        detected.attributes,
        tuple(column for column in file.columns if column not in detected.used()),
        _examples(values, detected),
        detected.platform.name if detected.platform else None,
        tuple(_warnings(file, detected, values)),
        file.count(detected),
        file,
        detected,
        categories,
        own_names,
        options,
    )


def open_file(path: Path) -> CatalogueFile:
    """Open a file in its format. Raises InvalidCatalogue, which says what to do, when it has none of the formats."""
    start = read_start(path)
    if other := other_spreadsheet(start):
        raise InvalidCatalogue(f"{path} is {other}, which is not read; save it as .xlsx or CSV")
    if is_archive(path, start):
        unpacked = unpack(path)
        try:
            return _Unpacked(unpacked, open_file(unpacked.path))
        except InvalidCatalogue as error:
            raise InvalidCatalogue(str(error).replace(str(unpacked.path), f"{path} ({unpacked.path.name})")) from error
    for has_format, open_format in FORMATS:
        if has_format(path, start):
            return open_format(path)
    encoding = detect_encoding(path)
    head = encoding.head(path)
    beginning = head.lstrip("\ufeff \t\r\n")
    if beginning[:200].lower().startswith(("<!doctype html", "<html", "<head", "<body")):
        raise InvalidCatalogue(
            f"{path} is a web page, not a catalogue; download the export itself, perhaps after logging in"
        )
    for has_text_format, open_text_format in TEXT_FORMATS:
        if has_text_format(path.suffix.lower(), beginning[:1]):
            return open_text_format(path, encoding, head)
    return _open_delimited(path, encoding, head)


class _Unpacked:
    """A file that was unpacked; its temporary folder lasts as long as this object."""

    def __init__(self, unpacked: UnpackedFile, file: CatalogueFile) -> None:
        self._unpacked, self._file = unpacked, file
        self.columns, self.declared, self.warning = file.columns, file.declared, file.warning

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:
        """As the unpacked file has them; this object, and so the folder, lasts as long as they are read."""
        yield from self._file.records(columns, start)

    def count(self, columns: Columns) -> int:
        """As the unpacked file has them."""
        return self._file.count(columns)


def _examples(sample: Sequence[Mapping[str, object]], columns: Columns) -> dict[str, str]:
    examples = {}
    for field, column in columns.fields.items():
        texts = (prose_of(record.get(column), ", ") for record in sample)
        if text := next(filter(None, texts), ""):
            examples[field] = " ".join(text.split())[:80]
    return examples


def _warnings(file: CatalogueFile, columns: Columns, sample: Sequence[Mapping[str, object]]) -> Iterator[str]:
    if file.warning:
        yield file.warning
    if "name" not in columns.fields:
        yield "no column holds a name"
    id_column = columns.fields.get("external_id")
    rounded = [c for c in file.columns if _is_rounded(sample, c) and c in (id_column, *ids_of(file.columns))]
    if rounded:
        yield (
            f"the numbers of the column '{rounded[0]}' were rounded by a spreadsheet (such as "
            f"{text_of(sample[0].get(rounded[0]))}): they are no ids; export the file again with that column as text"
        )
    if id_column is None:
        yield "no column holds an id: rows are known by their content only"


def _is_rounded(sample: Sequence[Mapping[str, object]], column: str) -> bool:
    texts = [text for record in sample if (text := text_of(record.get(column)))]
    return bool(texts) and sum(bool(ROUNDED_NUMBER.fullmatch(text)) for text in texts) > 0.5 * len(texts)


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


def _open_delimited(path: Path, encoding: Encoding, head: str) -> CatalogueFile:
    delimiter = "\t" if path.suffix.lower() in TAB_SEPARATED else choose_delimiter(head)
    return DelimitedFile(path, encoding, delimiter)


def _open_json_array(path: Path, encoding: Encoding, _head: str) -> CatalogueFile:
    return JsonFile(path, encoding, array=True)


def _open_json_objects(path: Path, encoding: Encoding, head: str) -> CatalogueFile:
    """One object per line, or one object that holds the list."""
    first_line = head.lstrip("\ufeff \t\r\n").partition("\n")[0]
    try:
        first = json.loads(first_line)
    except (ValueError, RecursionError):
        first = None
    is_alone = not head.lstrip("\ufeff \t\r\n").partition("\n")[2].strip()
    if path.suffix.lower() in ONE_OBJECT_PER_LINE or (
        isinstance(first, dict) and not _wraps_list(first, is_alone=is_alone)
    ):
        return JsonFile(path, encoding, array=False)
    try:
        return JsonDocument(path, encoding)
    except InvalidCatalogue:
        if first is None and path.suffix.lower() != ".json":
            raise
        return JsonFile(path, encoding, array=False)


def _wraps_list(value: Mapping[str, object], *, is_alone: bool) -> bool:
    """Whether an object wraps a list of products rather than being one."""
    lists = {key for key, each in value.items() if isinstance(each, list) and any(isinstance(x, dict) for x in each)}
    if lists & (LIST_KEYS - {"variants", "offers"}):
        return True
    return is_alone and not NAME_KEYS.intersection(value)


def _open_xml(path: Path, _encoding: Encoding, _head: str) -> CatalogueFile:
    return XmlFeed(path)


def _is_spreadsheet(path: Path, start: bytes) -> bool:
    return start.startswith(ZIP_MAGIC) and is_spreadsheet(path)


# In the order in which they are tried: whether a file, by its path and first bytes, has the format, and its reader.
FORMATS: Sequence[tuple[Callable[[Path, bytes], bool], Callable[[Path], CatalogueFile]]] = (
    (is_parquet, ParquetFile),
    (_is_spreadsheet, Spreadsheet),
)
# The same for formats that are text: by suffix and first character.
TEXT_FORMATS: Sequence[tuple[Callable[[str, str], bool], Callable[[Path, Encoding, str], CatalogueFile]]] = (
    (lambda suffix, first: first == "<" and suffix not in DELIMITED, _open_xml),
    (lambda suffix, _first: suffix in DELIMITED, _open_delimited),
    (lambda _suffix, first: first == "[", _open_json_array),
    (lambda suffix, first: first == "{" or suffix in JSON_LINES, _open_json_objects),
)
