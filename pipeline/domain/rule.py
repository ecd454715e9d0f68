"""Words of the mapping: what is known of a source's categories, and the rules proposed for them.

A source's category means a category of the marketplace's taxonomy, or nothing here (``category`` None).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Evidence


@dataclass(frozen=True, slots=True)
class CollectedListing:
    """A listing of a source with its categories there, from the general to the particular.

    ``decided`` is the category that a person or the model gave it, None without one; ``sure`` says that the decision
    needs no review.
    """

    evidence: Evidence
    categories: tuple[str, ...]
    decided: str | None = None
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """How a category of a source is met: in ``support`` listings; ``decided`` counts the decisions on them by category.

    ``sure`` counts those decisions that need no review.
    """

    support: int
    decided: Mapping[str, int]
    sure: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProposedRule:
    """What a category of a source probably means, and why.

    ``score`` (0 to 1) is the belief in it; ``similarity`` that of names and texts alone, ``agreement`` the share of the
    ``support`` listings' decisions that lie in the category (None without decisions). ``grounds`` are the parts.
    """

    source_category: str
    category: str | None
    score: float
    similarity: float
    agreement: float | None
    support: int
    grounds: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A decision on a rule as a file of rules has it."""

    number: int
    source_category: str
    category: str | None
    accepted: bool


class RefusedLines(InvalidInput):
    """Lines of a file of rules that cannot be used: why, by the number of each. Nothing of the file was taken over."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(sorted(problems.items()))
        first = [f"line {number}: {problem}" for number, problem in list(self.problems.items())[:3]]
        more = f"; and {len(self.problems) - 3} more" if len(self.problems) > 3 else ""
        super().__init__("nothing was changed; " + "; ".join(first) + more)


class RuleStatus(StrEnum):
    """What an admin thinks of a rule that maps a source's category; only accepted ones are used."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
