"""Rules: the meanings of a source's categories in the taxonomy, proposed by a worker, decided by users.

A source's category means a category of the taxonomy, or nothing here (``category`` None). Only accepted rules label
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
    """The decision on a rule; only accepted ones are used."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a source. At most one rule is accepted for each category of the source."""

    id: int
    source_id: int
    source_category: str
    category: str | None
    status: RuleStatus


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a source's category: the path of a category, or nothing here (None).

    A path that the taxonomy does not have is added to it if it ``may_be_new``, and refused otherwise.
    """

    category: str | None
    may_be_new: bool = False

    def path(self) -> str | None:
        """The canonical path; InvalidCategory when it is none."""
        return None if self.category is None else category_path(self.category)


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A decision on a rule in a file of rules; ``number`` is its line."""

    number: int
    source_category: str
    category: str | None
    accepted: bool


class InvalidRuleLines(InvalidInput):
    """Unusable lines of a file of rules, with their ``problems`` by line number. Nothing of the file was imported."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(sorted(problems.items()))
        first = [f"line {number}: {problem}" for number, problem in list(self.problems.items())[:3]]
        more = f"; and {len(self.problems) - 3} more" if len(self.problems) > 3 else ""
        super().__init__("nothing was changed; " + "; ".join(first) + more)


def source_category_name(text: str) -> str:
    """The name of a source's category, with single spaces; InvalidInput when it is empty or too long."""
    name = " ".join(text.replace("\x00", "").split())
    if not name or len(name) > MAX_SOURCE_CATEGORY_LENGTH:
        raise InvalidInput(
            f"the category of the source needs 1 to {MAX_SOURCE_CATEGORY_LENGTH} characters, such as en:champagnes"
        )
    return name


def category_path(text: str) -> str:
    """The canonical path of a category; InvalidCategory when it is none."""
    return str(Category.parse(text.replace("\x00", "")))


def unknown_category(path: str, known: Sequence[str]) -> InvalidInput:
    """The error for a path that the taxonomy does not have; it names the closest of those that are ``known``."""
    close = get_close_matches(path, known, n=3, cutoff=0.5)
    near = f"; near it are: {', '.join(close)}" if close else ""
    return InvalidInput(f"the taxonomy has no category '{path[:100]}'{near}; say that it is new to add it")
