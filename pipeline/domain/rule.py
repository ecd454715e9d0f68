"""Rules: the meanings of a source's categories in the taxonomy, proposed by a worker, decided by users.

A source's category means a category of the taxonomy, or nothing here (``category`` None). Only accepted rules label
listings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Evidence, LabelledListing

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


class RefusedLines(InvalidInput):
    """Unusable lines of a file of rules, with their ``problems`` by line number. Nothing of the file was imported."""

    def __init__(self, problems: Mapping[int, str]) -> None:
        self.problems = dict(sorted(problems.items()))
        first = [f"line {number}: {problem}" for number, problem in list(self.problems.items())[:3]]
        more = f"; and {len(self.problems) - 3} more" if len(self.problems) > 3 else ""
        super().__init__("nothing was changed; " + "; ".join(first) + more)


@dataclass(frozen=True, slots=True)
class CollectedListing:
    """A listing of a source with its categories there, from the general to the particular.

    ``decided`` is its category by a reviewer or the model, None without one; ``sure`` means that the decision
    needs no review.
    """

    evidence: Evidence
    categories: tuple[str, ...]
    decided: str | None = None
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of a category of a source: ``support`` listings have it; ``decided`` counts their decisions by category.

    ``sure`` counts those decisions that need no review.
    """

    support: int
    decided: Mapping[str, int]
    sure: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProposalEvidence:
    """The evidence from which rules for a source are proposed.

    ``listings`` are collected listings of the source, all or evenly spaced ones; ``tallies`` count all of them by
    category of the source. ``categories`` are those of the taxonomy, ``labelled`` listings of it, all or evenly spaced.
    Users ``refused`` these meanings of categories; ``settled`` categories have an accepted rule.
    """

    listings: Sequence[CollectedListing]
    tallies: Mapping[str, Tally]
    categories: Sequence[str]
    labelled: Sequence[LabelledListing]
    refused: frozenset[tuple[str, str | None]] = frozenset()
    settled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RivalCategory:
    """Another category that a proposal might mean, with the belief in it (0 to 1)."""

    category: str
    belief: float


@dataclass(frozen=True, slots=True)
class Grounds:
    """The grounds of a proposed rule. Similarities, shares and beliefs lie between 0 and 1.

    ``names`` and ``texts`` are the similarities to the proposed category (to the nearest one for a proposal that means
    nothing). ``agreeing`` of the ``decided`` listings are in the category, and ``agreement_at_least`` is the lower
    bound of their share. ``contradiction`` is how much the grounds contradict each other. ``extractors`` compared the
    texts.
    """

    names: float = 0.0
    texts: float = 0.0
    decided: int = 0
    agreeing: int = 0
    agreement_at_least: float | None = None
    contradiction: float = 0.0
    rivals: tuple[RivalCategory, ...] = ()
    extractors: tuple[str, ...] = ()

    def as_json(self) -> JsonObject:
        """The grounds as they are stored; ``of_json`` reads them back."""
        return asdict(self)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Grounds:
        """The grounds that ``as_json`` gave; what is missing has its default."""
        known = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        rivals = tuple(RivalCategory(**rival) for rival in known.pop("rivals", ()))
        return cls(**known | {"rivals": rivals, "extractors": tuple(known.get("extractors", ()))})


@dataclass(frozen=True, slots=True)
class RuleProposal:
    """The probable meaning of a category of a source, with its grounds.

    ``score`` (0 to 1) is the belief in it; ``similarity`` that of names and texts alone; ``agreement`` the share of the
    decisions on the ``support`` listings that are in the category, None without decisions.
    """

    source_category: str
    category: str | None
    score: float
    similarity: float
    agreement: float | None
    support: int
    grounds: Grounds


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
