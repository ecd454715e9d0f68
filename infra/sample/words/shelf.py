"""Shelf: what sellers say of the products of one category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """How one language speaks of a shelf.

    Sentences may use {noun}, {brand}, {model}, {colour}, {material} and {size}.
    """

    nouns: tuple[str, ...]
    traits: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """One leaf category. ``weight`` is its share relative to the others, ``prices`` lowest and highest in euros.

    ``materials`` are keys of ``common.MATERIALS``.
    """

    category: str
    weight: float
    prices: tuple[int, int]
    brands: tuple[str, ...]
    materials: tuple[str, ...]
    sizes: tuple[str, ...]
    wordings: Mapping[str, Wording]
