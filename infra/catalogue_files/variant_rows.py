"""Variants of a product in rows of their own: sizes and colours that name their parent, or share its handle."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline.domain.listing import Content
from pipeline.domain.verdict import hash_external_id

REMEMBERED_PARENTS = 10_000
_REFERENCE = "id:"  # WooCommerce names a parent by its id like this, else by its SKU


class VariantMode(StrEnum):
    """What becomes of the variants of a product."""

    ONE_LISTING = "one"  # a product and its variants are one listing, that of the first row
    SEPARATE = "separate"  # each is a listing; what a variant does not have, it inherits from its parent


@dataclass(frozen=True, slots=True)
class Inherited:
    """The content of a parent, as far as its variants inherit it."""

    name: str
    description: str
    category: str | None


class VariantRows:
    """The rows that variants refer to, by the hashes of their parent and ids (about 100 bytes each)."""

    def __init__(self, mode: VariantMode) -> None:
        self._mode = mode
        self._rows: dict[bytes, int] = {}
        self._contents: OrderedDict[bytes, Inherited] = OrderedDict()

    def parent_row(self, parent: str, number: int) -> int | None:
        """The number of the row that this one is a variant of; None for the first row of a product."""
        if not parent or self._mode is VariantMode.SEPARATE:
            return None
        first = self._rows.setdefault(_key(parent), number)
        return None if first == number else first

    def add(self, ids: tuple[str, ...], parent: str, number: int, content: Content) -> None:
        """Record a usable row: variants may refer to it by its ids, or share its parent."""
        if self._mode is VariantMode.ONE_LISTING:
            if not parent:
                for each in filter(None, ids):
                    self._rows.setdefault(_key(each), number)
            return
        inherited = Inherited(content.name, content.description, content.seller_category)
        for each in filter(None, (parent,) if parent else ids):
            if _key(each) not in self._contents:
                self._contents[_key(each)] = inherited
        while len(self._contents) > REMEMBERED_PARENTS:
            self._contents.popitem(last=False)

    def with_inherited(self, content: Content, parent: str) -> Content:
        """The content of a variant, completed by that of its parent."""
        inherited = self._contents.get(_key(parent)) if parent and self._mode is VariantMode.SEPARATE else None
        if inherited is None:
            return content
        return replace(
            content,
            name=content.name or inherited.name,
            description=content.description or inherited.description,
            seller_category=content.seller_category or inherited.category,
        )


def _key(reference: str) -> bytes:
    return hash_external_id(reference.strip().removeprefix(_REFERENCE).casefold())
