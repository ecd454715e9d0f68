"""Turn records into rows: content, or the reason why a row is rejected."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infra.catalogue_files.columns import Columns, plain
from infra.catalogue_files.photos import images_of, photo_of
from infra.catalogue_files.record import (
    MAX_ADDRESS,
    MAX_ATTRIBUTE,
    MAX_ATTRIBUTES,
    MAX_DESCRIPTION,
    MAX_EXTERNAL_ID,
    MAX_IMAGES,
    MAX_NAME,
    CatalogueRow,
    Record,
)
from infra.catalogue_files.values import attributes_of, category_of, prose_of, text_of
from pipeline.domain.category import Category
from pipeline.domain.listing import Content


class RowMaker:
    """Makes rows of records, in their order; remembers the ids met (8 bytes of hash each) to find duplicates.

    ``met`` are the ids, and the numbers, of the good rows before the first that is made here.
    """

    def __init__(self, columns: Columns, drop_own_names: bool, met: Iterable[tuple[str, int]] = ()) -> None:
        self._columns = columns
        self._drop_own_names = drop_own_names
        self._met = {_hashed(external_id): number for external_id, number in met}

    def make(self, number: int, record: Record) -> CatalogueRow:
        """The row of a record; ``problem`` says why it is rejected."""
        if record.values is None:
            return CatalogueRow(number, record.line, None, None, problem=record.problem)
        given = {field: record.values.get(column) for field, column in self._columns.fields.items()}
        notes = []
        if any("\x00" in value for value in given.values() if isinstance(value, str)):
            notes.append("NUL bytes were removed")
        external_id = text_of(given.get("external_id"))
        name = " ".join(prose_of(given.get("name"), " ").split())
        description = prose_of(given.get("description"))
        attributes = self._attributes(record, given.get("attributes"))
        images, image_file = images_of(given.get("image"))
        photo = photo_of(given.get("image"))
        category, note = category_of(given.get("category"))
        if note:
            notes.append(note)
        if category and self._drop_own_names and is_own_name(category, name):
            category = Category(category.path[:-1])
            notes.append("the last part of the category was the product's own name and was dropped")
        problem = (
            self._bad_id(external_id)
            or _too_long(name, description, attributes, images)
            or (None if name or description or images or image_file or photo else "no name, description or image")
            or self._duplicate(external_id, number)
        )
        return CatalogueRow(
            number,
            record.line,
            external_id[:MAX_EXTERNAL_ID] or None,
            None
            if problem
            else Content(name, description, attributes, tuple(images), str(category) if category else None),
            None if problem else image_file,
            None if problem else photo,
            text_of(given.get("split")) or None,
            problem,
            tuple(notes),
        )

    def _attributes(self, record: Record, specification: object) -> dict[str, str]:
        attributes = attributes_of(specification)
        known = {plain(name) for name in attributes}
        for column in self._columns.attributes:
            value = (record.values or {}).get(column)
            for name, text in (attributes_of(value) or {column: prose_of(value, ", ")}).items():
                if text and plain(name) not in known:
                    known.add(plain(name))
                    attributes[name] = text
        return attributes

    def _bad_id(self, external_id: str) -> str | None:
        if "external_id" in self._columns.fields and not external_id:
            return "the id is empty"
        if len(external_id) > MAX_EXTERNAL_ID:
            return f"the id has {len(external_id):,} characters, at most {MAX_EXTERNAL_ID}"
        return None

    def _duplicate(self, external_id: str, number: int) -> str | None:
        if not external_id:
            return None
        earlier = self._met.setdefault(_hashed(external_id), number)
        return None if earlier == number else f"same id as row {earlier}"


def _hashed(external_id: str) -> bytes:
    return hashlib.blake2b(external_id.encode(), digest_size=8).digest()


def is_own_name(category: Category, name: str) -> bool:
    """Whether the last part of the path is the product's name, whole or begun: Flipkart's trees often end so."""
    leaf, own = _words(category.path[-1]), _words(name)
    shorter = min(len(leaf), len(own))
    return category.level > 1 and shorter >= 3 and leaf[:shorter] == own[:shorter]


def own_names_are_leaves(pairs: Iterable[tuple[Category, str]]) -> bool:
    """Whether leaves that equal their product's name are the products' own: then hardly two products share one.

    In a catalogue whose products are named after their class, the same leaf comes again and again, and stays.
    """
    leaves = [category.path for category, name in pairs if is_own_name(category, name)]
    return bool(leaves) and len(set(leaves)) >= 0.8 * len(leaves)


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def _too_long(name: str, description: str, attributes: dict[str, str], images: list[str]) -> str | None:
    longest = max((len(text) for pair in attributes.items() for text in pair), default=0)
    for what, size, limit in (
        ("the name", len(name), MAX_NAME),
        ("the description", len(description), MAX_DESCRIPTION),
        ("an attribute", longest, MAX_ATTRIBUTE),
        ("an image address", max(map(len, images), default=0), MAX_ADDRESS),
    ):
        if size > limit:
            return f"{what} has {size:,} characters, at most {limit:,}"
    for what, size, limit in (("attributes", len(attributes), MAX_ATTRIBUTES), ("images", len(images), MAX_IMAGES)):
        if size > limit:
            return f"{size} {what}, at most {limit}"
    return None


ENOUGH = 20
MOST = 0.95


@dataclass(frozen=True, slots=True)
class IdRule:
    """A pattern that the ids follow. A ``specific`` one is unlikely to be met by chance, so a misfit is no row."""

    name: str
    pattern: re.Pattern[str]
    specific: bool

    def fits(self, text: str) -> bool:
        """Whether the text could be an id of this catalogue."""
        return self.pattern.fullmatch(text.strip()) is not None


CANDIDATES = (
    IdRule("a UUID", re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), specific=True),
    IdRule("32 hexadecimal digits", re.compile(r"[0-9a-fA-F]{32}"), specific=True),
    IdRule("24 hexadecimal digits", re.compile(r"[0-9a-fA-F]{24}"), specific=True),
    IdRule("40 hexadecimal digits", re.compile(r"[0-9a-fA-F]{40}"), specific=True),
    IdRule("64 hexadecimal digits", re.compile(r"[0-9a-fA-F]{64}"), specific=True),
    IdRule("10 characters, as an ASIN", re.compile(r"B0[0-9A-Z]{8}"), specific=True),
    IdRule("digits", re.compile(r"\d{1,20}"), specific=False),
    IdRule("no spaces", re.compile(r"\S{1,200}"), specific=False),
)


def learn_rule(ids: Sequence[str]) -> IdRule | None:
    """The narrowest rule that at least 95 % of the ids follow; None when there are fewer than 20 or none does."""
    if len(ids) < ENOUGH:
        return None
    for rule in CANDIDATES:
        if sum(map(rule.fits, ids)) >= MOST * len(ids):
            return rule
    return None
