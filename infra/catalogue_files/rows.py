"""Records as file formats yield them, and the rows made of them: content, or the reason for a rejection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.catalogue_files.cell_values import attributes_of, category_of, images_of, photo_of, prose_of, text_of
from infra.catalogue_files.column_detection import Columns, plain
from pipeline.domain.category import Category
from pipeline.domain.listing import (
    MAX_ADDRESS,
    MAX_ATTRIBUTE,
    MAX_ATTRIBUTES,
    MAX_DESCRIPTION,
    MAX_EXTERNAL_ID,
    MAX_IMAGES,
    MAX_NAME,
    Content,
)
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.verdict import FirstRows

MAX_RECORD = 1_000_000  # characters
SAMPLE_RECORDS = 500
MAX_RECORDS_LOOKED_AT = 20_000
SAMPLE_BYTES = 1 << 20
NOTHING_TO_CATEGORISE = Reason(ReasonCode.NOTHING_TO_CATEGORISE)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: its values by column, or the problem why it has none. ``line`` counts from 1.

    Values are what JSON has (texts, numbers, lists, objects) and bytes.
    """

    line: int
    values: Mapping[str, object] | None
    problem: Reason | None = None


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One row of a catalogue, with either ``content`` or a ``problem``.

    ``number`` counts records from 1 without the header; ``line`` is where the row starts in the file.
    ``content.images`` holds addresses only: ``photo`` is the bytes of a photo in the catalogue itself, ``image_file``
    the name of a file in the folder of photos. ``notes`` say what was changed while reading.
    """

    number: int
    line: int
    external_id: str | None
    content: Content | None
    image_file: str | None = None
    photo: bytes | None = None
    split: str | None = None
    problem: Reason | None = None
    notes: tuple[Reason, ...] = ()

    @property
    def known_id(self) -> str:
        """The external id; of a row with content and without an id, a hash of the content and its photo."""
        if self.external_id:
            return self.external_id
        assert self.content is not None
        parts: Sequence[object] = (self.content.fingerprint(), self.image_file)
        if self.photo is not None:
            parts = (*parts, hashlib.sha256(self.photo).hexdigest())
        return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()


class RowReader:
    """Makes a row of each record, and rejects rows whose external id an earlier usable row has.

    ``known`` are ids and numbers of the usable rows before the first record.
    """

    def __init__(self, columns: Columns, *, drop_own_names: bool, known: Iterable[tuple[str, int]] = ()) -> None:
        self._columns = columns
        self._drop_own_names = drop_own_names
        self._first_rows = FirstRows(known)

    def read(self, number: int, record: Record) -> CatalogueRow:
        """The row of a record; ``problem`` says why it is rejected."""
        if record.values is None:
            return CatalogueRow(number, record.line, None, None, problem=record.problem)
        cells = {field: record.values.get(column) for field, column in self._columns.fields.items()}
        notes: list[Reason] = []
        if any("\x00" in value for value in cells.values() if isinstance(value, str)):
            notes.append(Reason(ReasonCode.NUL_REMOVED))
        external_id = text_of(cells.get("external_id"))
        name = " ".join(prose_of(cells.get("name"), " ").split())
        description = prose_of(cells.get("description"))
        attributes = self._attributes(record, cells.get("attributes"))
        images, image_file = images_of(cells.get("image"))
        photo = photo_of(cells.get("image"))
        category, note = category_of(cells.get("category"))
        if note:
            notes.append(note)
        if category and self._drop_own_names and is_own_name(category, name):
            category = Category(category.path[:-1])
            notes.append(Reason(ReasonCode.CATEGORY_WAS_NAME))
        problem = (
            self._id_problem(external_id)
            or _size_problem(name, description, attributes, images)
            or (None if name or description or images or image_file or photo else NOTHING_TO_CATEGORISE)
            or self._repetition(external_id, number)
        )
        content = Content(name, description, attributes, tuple(images), str(category) if category else None)
        return CatalogueRow(
            number,
            record.line,
            external_id[:MAX_EXTERNAL_ID] or None,
            None if problem else content,
            None if problem else image_file,
            None if problem else photo,
            text_of(cells.get("split")) or None,
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

    def _id_problem(self, external_id: str) -> Reason | None:
        if "external_id" in self._columns.fields and not external_id:
            return Reason(ReasonCode.ID_EMPTY)
        if len(external_id) > MAX_EXTERNAL_ID:
            return Reason.of(ReasonCode.ID_TOO_LONG, size=len(external_id), limit=MAX_EXTERNAL_ID)
        return None

    def _repetition(self, external_id: str, number: int) -> Reason | None:
        if not external_id:
            return None
        first = self._first_rows.add(external_id, number)
        return None if first == number else Reason.of(ReasonCode.SAME_ID, row=first)


def is_own_name(category: Category, name: str) -> bool:
    """Whether the last part of the path is the product's name, whole or its beginning, as in Flipkart's trees."""
    leaf, own = _words(category.path[-1]), _words(name)
    shorter = min(len(leaf), len(own))
    return category.level > 1 and shorter >= 3 and leaf[:shorter] == own[:shorter]


def own_names_are_leaves(pairs: Iterable[tuple[Category, str]]) -> bool:
    """Whether leaves that equal their product's name are names of products: then hardly two products share one.

    In a catalogue whose products are named after their category, the same leaf recurs, and is kept.
    """
    leaves = [category.path for category, name in pairs if is_own_name(category, name)]
    return bool(leaves) and len(set(leaves)) >= 0.8 * len(leaves)


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def _size_problem(name: str, description: str, attributes: dict[str, str], images: list[str]) -> Reason | None:
    longest = max((len(text) for pair in attributes.items() for text in pair), default=0)
    for code, size, limit in (
        (ReasonCode.NAME_TOO_LONG, len(name), MAX_NAME),
        (ReasonCode.DESCRIPTION_TOO_LONG, len(description), MAX_DESCRIPTION),
        (ReasonCode.ATTRIBUTE_TOO_LONG, longest, MAX_ATTRIBUTE),
        (ReasonCode.IMAGE_ADDRESS_TOO_LONG, max(map(len, images), default=0), MAX_ADDRESS),
        (ReasonCode.TOO_MANY_ATTRIBUTES, len(attributes), MAX_ATTRIBUTES),
        (ReasonCode.TOO_MANY_IMAGES, len(images), MAX_IMAGES),
    ):
        if size > limit:
            return Reason.of(code, size=size, limit=limit)
    return None
