"""Records as file formats yield them, and the rows made of them: content, or the reason for a rejection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.catalogue_files.category_cells import CategoryReader
from infra.catalogue_files.cell_values import (
    attributes_of,
    decoded_entities,
    images_of,
    photo_of,
    prose_of,
    text_of,
)
from infra.catalogue_files.column_detection import ROUNDED_NUMBER, Columns, plain
from infra.catalogue_files.variant_rows import VariantMode, VariantRows
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
# A catalogue ends its paths with the product's name if so many rows do, and hardly two products share such a path.
MIN_OWN_NAMES = 5
MIN_OWN_NAME_SHARE = 0.05
MIN_DISTINCT_LEAVES = 0.8


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
    """One row of a catalogue, with either ``content`` or a ``problem``, or a variant of the row ``variant_of``.

    ``number`` counts records from 1 without the header; ``line`` is where the row starts in the file.
    ``content.images`` holds addresses only: ``photo`` is the bytes of a photo in the catalogue itself, ``image_file``
    the name of a file in the folder of photos. ``notes`` say what was changed while reading. ``parent`` is the id of
    the product that the row belongs to with other rows.
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
    variant_of: int | None = None
    parent: str | None = None

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


@dataclass(frozen=True, slots=True)
class OwnNames:
    """Whether the paths of a catalogue end with their product's name; ``shared`` ones are categories all the same."""

    are_leaves: bool = False
    shared: frozenset[Category] = frozenset()

    @classmethod
    def of(cls, pairs: Sequence[tuple[Category, str]]) -> OwnNames:
        """Judge by the categories and names of a sample.

        In a catalogue whose products are named after their category, the same leaf recurs, and is kept.
        """
        own = [category for category, name in pairs if is_own_name(category, name)]
        if len(own) < max(MIN_OWN_NAMES, MIN_OWN_NAME_SHARE * len(pairs)):
            return cls()
        if len(set(own)) < MIN_DISTINCT_LEAVES * len(own):
            return cls()
        return cls(are_leaves=True, shared=frozenset(c for c, name in pairs if not is_own_name(c, name)))

    def shortened(self, category: Category, name: str) -> Category | None:
        """The category without the product's name at its end; None where it is a category to the end."""
        if not self.are_leaves or category in self.shared or not is_own_name(category, name):
            return None
        return Category(category.path[:-1])


class RowReader:
    """Makes a row of each record, and rejects rows whose external id an earlier usable row has.

    ``known`` are ids and numbers of the usable rows before the first record.
    """

    def __init__(
        self,
        columns: Columns,
        categories: CategoryReader,
        own_names: OwnNames,
        *,
        variants: VariantMode = VariantMode.ONE_LISTING,
        known: Iterable[tuple[str, int]] = (),
    ) -> None:
        self._columns = columns
        self._categories = categories
        self._own_names = own_names
        self._first_rows = FirstRows(known)
        self._variants = VariantRows(variants)
        self._columns_of = {
            field: (column, *columns.fallbacks.get(field, ())) for field, column in columns.fields.items()
        }
        self._id_columns = self._columns_of.get("external_id", ())
        self._notes: list[Reason] = []

    def read(self, number: int, record: Record) -> CatalogueRow:
        """The row of a record; ``problem`` says why it is rejected."""
        if record.values is None:
            return CatalogueRow(number, record.line, None, None, problem=record.problem)
        values = record.values
        self._notes = []
        if any("\x00" in value for value in map(values.get, self._columns.fields.values()) if isinstance(value, str)):
            self._notes.append(Reason(ReasonCode.NUL_REMOVED))
        external_id, id_problem = self._id(values)
        parent = text_of(values.get(self._columns.fields.get("parent", "")))
        variant_of = self._variants.parent_row(parent, number)
        if variant_of is not None:
            note = Reason.of(ReasonCode.VARIANT_OF_ROW, row=variant_of)
            return CatalogueRow(number, record.line, None, None, notes=(note,), variant_of=variant_of, parent=parent)
        images, image_file = self._images(values)
        photo = photo_of(values.get(self._columns.fields.get("image", "")))
        content = self._variants.with_inherited(self._content(values, images), parent)
        usable = content.name or content.description or images or image_file or photo
        problem = id_problem or (None if usable else NOTHING_TO_CATEGORISE) or self._repetition(external_id, number)
        if problem is None and "parent" in self._columns.fields:
            ids = (external_id, *(text_of(values.get(column)) for column in self._columns.reference_ids))
            self._variants.add(ids, parent, number, content)
        return CatalogueRow(
            number,
            record.line,
            external_id[:MAX_EXTERNAL_ID] or None,
            None if problem else content,
            None if problem else image_file,
            None if problem else photo,
            text_of(values.get(self._columns.fields.get("split", ""))) or None,
            problem,
            tuple(self._notes),
            parent=parent or None,
        )

    def _id(self, values: Mapping[str, object]) -> tuple[str, Reason | None]:
        """The external id, empty where the row is known by its content; and why the row has no usable one."""
        for column in self._id_columns:
            external_id = text_of(values.get(column))
            if ROUNDED_NUMBER.fullmatch(external_id):
                self._notes.append(Reason.of(ReasonCode.ID_ROUNDED, id=external_id))
                continue
            if len(external_id) > MAX_EXTERNAL_ID:
                size = {"size": len(external_id), "limit": MAX_EXTERNAL_ID}
                return external_id, Reason.of(ReasonCode.ID_TOO_LONG, **size)
            if external_id:
                return external_id, None
        is_missing = self._id_columns and not any(note.code is ReasonCode.ID_ROUNDED for note in self._notes)
        return "", Reason(ReasonCode.ID_EMPTY) if is_missing else None

    def _content(self, values: Mapping[str, object], images: Sequence[str]) -> Content:
        name = " ".join(self._text(values, "name", " ").split())
        description = self._text(values, "description", "\n")
        category = self._category(values, name)
        return Content(
            self._cut(name, MAX_NAME, ReasonCode.NAME_SHORTENED),
            self._cut(description, MAX_DESCRIPTION, ReasonCode.DESCRIPTION_SHORTENED),
            self._attributes(values),
            tuple(images),
            str(category) if category else None,
        )

    def _text(self, values: Mapping[str, object], field: str, between: str) -> str:
        for column in self._columns_of.get(field, ()):
            if text := prose_of(values.get(column), between):
                return decoded_entities(text) if "&" in text else text
        return ""

    def _category(self, values: Mapping[str, object], name: str) -> Category | None:
        if self._columns.category_path:
            parts = [text_of(values.get(column)) for column in self._columns.category_path]
            cell: object = [part for part in dict.fromkeys(map(decoded_entities, parts)) if part]
        else:
            cell = values.get(self._columns.fields.get("category", ""))
        read = self._categories.read(cell)
        self._notes += read.notes
        if read.category is None:
            return None
        shortened = self._own_names.shortened(read.category, name)
        if shortened is None:
            return read.category
        self._notes.append(Reason(ReasonCode.CATEGORY_WAS_NAME))
        return shortened

    def _images(self, values: Mapping[str, object]) -> tuple[list[str], str | None]:
        addresses: dict[str, None] = {}
        files: list[str] = []
        for column in self._columns_of.get("image", ()):
            found, names = images_of(values.get(column))
            addresses.update(dict.fromkeys(found))
            files += names
        too_long = [address for address in addresses if len(address) > MAX_ADDRESS]
        if too_long:
            self._notes.append(Reason.of(ReasonCode.LONG_IMAGE_ADDRESS_LEFT_OUT, size=len(too_long[0])))
        images = [address for address in addresses if len(address) <= MAX_ADDRESS]
        if len(images) > MAX_IMAGES:
            self._notes.append(Reason.of(ReasonCode.IMAGES_LEFT_OUT, size=len(images), limit=MAX_IMAGES))
        return images[:MAX_IMAGES], files[0] if files else None

    def _attributes(self, values: Mapping[str, object]) -> dict[str, str]:
        attributes = attributes_of(values.get(self._columns.fields.get("attributes", "")))
        known = {plain(name) for name in attributes}
        for column in self._columns.attributes:
            value = values.get(column)
            for name, text in (attributes_of(value) or {column: prose_of(value, ", ")}).items():
                if text and plain(name) not in known:
                    known.add(plain(name))
                    attributes[name] = text
        if len(attributes) > MAX_ATTRIBUTES:
            size = {"size": len(attributes), "limit": MAX_ATTRIBUTES}
            self._notes.append(Reason.of(ReasonCode.ATTRIBUTES_LEFT_OUT, **size))
        if any(len(text) > MAX_ATTRIBUTE for pair in attributes.items() for text in pair):
            self._notes.append(Reason.of(ReasonCode.ATTRIBUTE_SHORTENED, limit=MAX_ATTRIBUTE))
        shortened = {}
        for name, text in list(attributes.items())[:MAX_ATTRIBUTES]:
            decoded = decoded_entities(text) if "&" in text else text
            shortened[name[:MAX_ATTRIBUTE]] = decoded[:MAX_ATTRIBUTE]
        return shortened

    def _cut(self, text: str, limit: int, code: ReasonCode) -> str:
        if len(text) <= limit:
            return text
        self._notes.append(Reason.of(code, limit=limit))
        return text[:limit].rstrip()

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


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()
