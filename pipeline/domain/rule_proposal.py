"""Proposals of rules: the evidence they are made from, and the proposed meaning of a category with its grounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Evidence, LabelledListing


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
class CategoryCounts:
    """Counts of a category of a source: ``support`` listings have it; ``decided`` counts their decisions by category.

    ``sure`` counts those decisions that need no review.
    """

    support: int
    decided: Mapping[str, int]
    sure: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProposalInputs:
    """The evidence from which rules for a source are proposed.

    ``listings`` are collected listings of the source, all or evenly spaced ones; ``tallies`` count all of them by
    category of the source. ``categories`` are those of the taxonomy, ``labelled`` listings of it, all or evenly spaced.
    Users ``refused`` these meanings of categories; ``settled`` categories have an accepted rule.
    """

    listings: Sequence[CollectedListing]
    tallies: Mapping[str, CategoryCounts]
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
