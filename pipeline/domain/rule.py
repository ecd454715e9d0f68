"""Rules: mappings of a source's categories to the taxonomy, proposed by a worker and decided by users.

A source category means one category of the taxonomy, or none of them (``category`` None). Only accepted rules label
listings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput

MAX_SOURCE_CATEGORY_LENGTH = 200


class RuleStatus(StrEnum):
    """The decision on a rule; only accepted rules are used."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a source. At most one rule per source category is accepted."""

    id: int
    source_id: int
    source_category: str
    category: str | None
    status: RuleStatus


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a source category: the path of a category in the taxonomy, or None if none corresponds to it.

    With ``create_missing``, a path that the taxonomy does not have is added to it; otherwise it is refused.
    """

    category: str | None
    create_missing: bool = False

    def path(self) -> str | None:
        """The canonical path, None for no category; raises InvalidCategory when it is not a valid path."""
        return None if self.category is None else category_path(self.category)


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A decision in a rule file; ``number`` is its line number."""

    number: int
    source_category: str
    category: str | None
    accepted: bool


class InvalidRuleLines(InvalidInput):
    """Unusable lines of a rule file, with their ``problems`` by line number; nothing of the file was imported."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(sorted(problems.items()))
        shown = [f"line {number}: {problem}" for number, problem in list(self.problems.items())[:3]]
        more = f"; and {len(self.problems) - 3} more" if len(self.problems) > 3 else ""
        super().__init__("nothing was changed; " + "; ".join(shown) + more)


def source_category_name(text: str) -> str:
    """Normalise the spaces in the name of a source category; raises InvalidInput when it is empty or too long."""
    name = " ".join(text.replace("\x00", "").split())
    if not name or len(name) > MAX_SOURCE_CATEGORY_LENGTH:
        raise InvalidInput(
            f"the category of the source needs 1 to {MAX_SOURCE_CATEGORY_LENGTH} characters, such as en:champagnes"
        )
    return name


def category_path(text: str) -> str:
    """The canonical path of a category; raises InvalidCategory when the text is not a valid path."""
    return str(Category.parse(text.replace("\x00", "")))


def unknown_category_error(path: str, known_paths: Sequence[str]) -> InvalidInput:
    """The error for a path that the taxonomy does not have, with the most similar of its ``known_paths``."""
    similar_paths = get_close_matches(path, known_paths, n=3, cutoff=0.5)
    suggestion = f"; similar categories: {', '.join(similar_paths)}" if similar_paths else ""
    return InvalidInput(f"the taxonomy has no category '{path[:100]}'{suggestion}; mark it as new to add it")
