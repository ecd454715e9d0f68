"""Sources that listings come from. Each source belongs to one taxonomy."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.category_notation import RECOGNISED, CategoryNotation
from pipeline.domain.errors import InvalidInput

NAME_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Source:
    """A source, with the taxonomy that its listings belong to, and its own notation of categories."""

    id: int
    name: str
    taxonomy_id: int
    taxonomy: str
    notation: CategoryNotation = RECOGNISED


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The id and name of a taxonomy."""

    id: int
    name: str


def source_name(text: str) -> str:
    """Normalise the spaces in the name of a source; raises InvalidInput when it is empty or too long."""
    name = " ".join(text.split())
    if not name or len(name) > NAME_LIMIT:
        raise InvalidInput(f"a source needs a name of 1 to {NAME_LIMIT} characters")
    return name


def taxonomy_name(text: str) -> str:
    """Normalise the spaces in the name of a taxonomy; raises InvalidInput when it is too long."""
    name = " ".join(text.split())
    if len(name) > NAME_LIMIT:
        raise InvalidInput(f"the name of a taxonomy has at most {NAME_LIMIT} characters")
    return name
