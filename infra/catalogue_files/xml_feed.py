"""Product feeds in XML: RSS and Atom as Google and Facebook read them, and lists of products of other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from infra.catalogue_files.column_detection import Columns
from infra.catalogue_files.rows import SAMPLE_RECORDS, Record
from pipeline.domain.errors import InvalidCatalogue
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode

GOOGLE_NAMESPACE = "{http://base.google.com/ns/1.0}"
ITEM_TAGS = ("item", "entry", "product", "offer", "article", "listing", "record", "row", "produit")
LOOKED_AT = 5_000  # elements
MAX_TEXT_LENGTH = 200_000  # characters of one element


class XmlFeed:
    """The items of a feed; ``columns`` are the names of their elements, without namespaces.

    InvalidCatalogue for a file that is not well-formed from its start, or has no repeated element with fields.
    """

    declared: Mapping[str, str] = MappingProxyType({})
    warning: str | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._tag = _item_tag(path)
        except (ParseError, DefusedXmlException) as error:
            raise InvalidCatalogue(f"{path} is no well-formed XML: {error}; export it again") from error
        columns: dict[str, None] = {}
        for record in islice(self._items(), SAMPLE_RECORDS):
            columns.update(dict.fromkeys(record.values or {}))
        self.columns = list(columns)
        if not columns:
            raise InvalidCatalogue(f"{path} is XML without a list of products; a feed in RSS or Atom is needed")

    def records(self, columns: Columns, start: int = 0) -> Iterator[Record]:  # noqa: ARG002 (all are read)
        """Every item in order, without the first ``start``; where the file breaks, one with a problem."""
        return islice(self._items(), start, None)

    def count(self, columns: Columns) -> int:  # noqa: ARG002 (all are read)
        """The number of items."""
        return sum(1 for _ in self._items())

    def _items(self) -> Iterator[Record]:
        number = 0
        parents: list[Element] = []
        try:
            for event, element in iterparse(self._path, events=("start", "end")):
                if event == "start":
                    parents.append(element)
                    continue
                parents.pop()
                if _local(element.tag) == self._tag and not any(_local(p.tag) == self._tag for p in parents):
                    number += 1
                    yield Record(number, _values(element))
                    element.clear()
                    if parents:
                        parents[-1].remove(element)
        except (ParseError, DefusedXmlException) as error:
            yield Record(number + 1, None, Reason.of(ReasonCode.FILE_NOT_XML, error=str(error)))


def _item_tag(path: Path) -> str:
    """The tag of the repeated element: a common one, else the most frequent that has fields of its own."""
    counts: Counter[str] = Counter()
    try:
        for _, element in islice(iterparse(path, events=("end",)), LOOKED_AT):
            if len(element) >= 2:
                counts[_local(element.tag)] += 1
    except ParseError:
        if not counts:
            raise
    common = next((tag for tag in ITEM_TAGS if counts[tag]), None)
    return common or max(counts, key=lambda tag: counts[tag], default="")


def _values(item: Element) -> dict[str, object]:
    values: dict[str, object] = {_local(name): text for name, text in item.attrib.items()}
    from_google: set[str] = set()
    for child in item:
        name, is_google = _local(child.tag), child.tag.startswith(GOOGLE_NAMESPACE)
        value = _value(child)
        if name not in values or (is_google and name not in from_google):
            values[name] = value
        elif is_google or name not in from_google:
            before = values[name]
            values[name] = [*before, value] if isinstance(before, list) else [before, value]
        if is_google:
            from_google.add(name)
    return values


def _value(element: Element) -> Any:
    if len(element):
        nested = _values(element)
        # Lists often have one kind of child: <images><image>…</image></images>.
        return next(iter(nested.values())) if len(nested) == 1 else nested
    return (element.text or element.attrib.get("href") or element.attrib.get("url") or "").strip()[:MAX_TEXT_LENGTH]


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]
