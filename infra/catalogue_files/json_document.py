"""JSON files whose products are in a list inside an object: ``{"products": [...]}``, JSON-LD with ``@graph``."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import ijson

from infra.catalogue_files.column_detection import Columns
from infra.catalogue_files.encoding import Encoding
from infra.catalogue_files.json_records import MAX_ERROR_LENGTH
from infra.catalogue_files.rows import SAMPLE_RECORDS, Record
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

LIST_KEYS = frozenset(
    {"products", "items", "@graph", "data", "results", "listings", "entries", "offers", "hits", "records", "rows"}
    | {"produits", "itemListElement", "catalog", "catalogue", "variants"}
)
NAME_KEYS = frozenset({"name", "title", "nom", "titre", "product_name"})
MAX_DEPTH = 4  # of the list


class JsonDocument:
    """The objects of the first list in a JSON object; an object that is a product itself is the only record.

    InvalidCatalogue when there is no list of objects.
    """

    declared: Mapping[str, str] = MappingProxyType({})

    def __init__(self, path: Path, encoding: Encoding) -> None:
        self._path, self._encoding = path, encoding
        self.warning = encoding.warning
        self._prefix = self._find_list()
        columns: dict[str, None] = {}
        problem: Reason | None = None
        for record in islice(self._objects(), SAMPLE_RECORDS):
            columns.update(dict.fromkeys(record.values or {}))
            problem = problem or record.problem
        if not columns:
            raise InvalidCatalogue(
                f"{path} holds no list of objects; give one object per line, or a list: {problem or 'it is empty'}"
            )
        self.columns = list(columns)

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:  # noqa: ARG002 (all are read)
        """Every object in order, without the first ``start``; where the file breaks, a record with a problem."""
        return islice(self._objects(), start, None)

    def count(self, columns: Columns) -> int:  # noqa: ARG002 (all are read)
        """The number of objects."""
        return sum(1 for _ in self._objects())

    def _find_list(self) -> str:
        """The prefix of the list, as ijson names it; empty for a document that is one record itself."""
        is_named, found = False, ""
        lists: list[str] = []
        try:
            with self._path.open("rb") as raw:
                previous: tuple[str, str] = ("", "")
                for prefix, event, value in ijson.parse(_Utf8Reader(raw, self._encoding)):
                    if event == "map_key" and prefix == "" and value in NAME_KEYS:
                        is_named = True
                    is_list = (
                        previous[1] == "start_array" and event == "start_map" and "item" not in previous[0].split(".")
                    )
                    if is_list and previous[0].count(".") < MAX_DEPTH:
                        lists.append(previous[0])
                        if previous[0].rpartition(".")[2] in LIST_KEYS:
                            break
                    previous = (prefix, event)
        except ijson.JSONError as error:
            if not lists:
                raise InvalidCatalogue(f"{self._path} is not JSON: {str(error)[:MAX_ERROR_LENGTH]}") from error
        known = next((each for each in lists if each.rpartition(".")[2] in LIST_KEYS), None)
        if known and not (is_named and known == "variants"):
            found = known
        elif lists and not is_named:
            found = lists[0]
        return found

    def _objects(self) -> Iterator[Record]:
        number = 0
        prefix = f"{self._prefix}.item" if self._prefix else ""
        try:
            with self._path.open("rb") as raw:
                for value in ijson.items(_Utf8Reader(raw, self._encoding), prefix, use_float=True):
                    number += 1
                    if isinstance(value, dict):
                        yield Record(number, _product(value))
                    else:
                        kind = type(value).__name__
                        yield Record(number, None, Reason.of(ReasonCode.ROW_NOT_OBJECT, kind=kind))
        except ijson.JSONError as error:
            yield Record(number + 1, None, Reason.of(ReasonCode.FILE_NOT_JSON, error=str(error)[:MAX_ERROR_LENGTH]))


def _product(value: dict[str, object]) -> dict[str, object]:
    """An element of a JSON-LD list holds its product under ``item``."""
    item = value.get("item")
    return item if isinstance(item, dict) and "name" not in value else value


class _Utf8Reader:
    """The bytes of a text file as UTF-8 without a byte order mark, which ijson reads."""

    def __init__(self, raw: BinaryIO, encoding: Encoding) -> None:
        self._reader = codecs.getreader(encoding.name)(raw, "replace")
        self._is_first = True

    def read(self, size: int) -> bytes:
        """At most ``size`` characters, encoded."""
        if size == 0:
            return b""
        text = self._reader.read(size, size) if size > 0 else self._reader.read()
        if self._is_first:
            text, self._is_first = text.lstrip("\ufeff"), False
        return text.encode("utf-8", "replace")
