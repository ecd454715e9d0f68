"""Rule proposals: their inputs, and the proposed meaning of a source category with the grounds for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Evidence, LabelledListing


@dataclass(frozen=True, slots=True)
class CollectedListing:
    """A collected listing with its categories at the source, from general to specific.

    ``decided_category`` is the one that a reviewer or the model gave it, None without a decision; ``confident`` means
    that the decision needs no review.
    """

    evidence: Evidence
    categories: tuple[str, ...]
    decided_category: str | None = None
    confident: bool = False


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """Counts of a source category: ``support`` listings have it, ``decided`` counts their decisions by category.

    ``confident`` counts only the decisions that need no review.
    """

    support: int
    decided: Mapping[str, int]
    confident: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProposalInputs:
    """The data from which rules for a source are proposed.

    ``listings`` are collected listings of the source, and ``labelled`` are labelled listings of its taxonomy: all of
    them, or an evenly spaced sample. ``counts_by_category`` counts all collected listings by source category.
    ``categories`` are the paths of the taxonomy. ``refused`` are the rules that users refused, as pairs of source
    category and meaning. Source categories ``with_accepted_rule`` need no proposal.
    """

    listings: Sequence[CollectedListing]
    counts_by_category: Mapping[str, CategoryCounts]
    categories: Sequence[str]
    labelled: Sequence[LabelledListing]
    refused: frozenset[tuple[str, str | None]] = frozenset()
    with_accepted_rule: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RivalCategory:
    """Another possible meaning of a source category, with the belief in it (0 to 1)."""

    category: str
    belief: float


@dataclass(frozen=True, slots=True)
class Grounds:
    """The grounds for a proposed rule. Similarities, shares and beliefs lie between 0 and 1.

    ``names`` and ``texts`` are the similarities to the proposed category, or to the most similar category if none is
    proposed. ``agreeing`` of the ``decided`` listings are in the category, and ``agreement_at_least`` is the lower
    bound of their share (95 % interval). ``contradiction`` is the mass of grounds that contradict each other.
    ``extractors`` are the names of those that compared the texts.
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
        """The JSON object to store; ``of_json`` reads it."""
        return asdict(self)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Grounds:
        """The grounds in a JSON object of ``as_json``; missing fields get their defaults."""
        fields = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        rivals = tuple(RivalCategory(**rival) for rival in fields.pop("rivals", ()))
        return cls(**fields | {"rivals": rivals, "extractors": tuple(fields.get("extractors", ()))})


@dataclass(frozen=True, slots=True)
class RuleProposal:
    """The probable meaning of a source category, with the grounds for it.

    ``score`` (0 to 1) is the belief in it, and ``similarity`` the belief by names and texts alone. ``agreement`` is the
    share of the decided listings among the ``support`` ones that are in ``category``, None without decisions.
    """

    source_category: str
    category: str | None
    score: float
    similarity: float
    agreement: float | None
    support: int
    grounds: Grounds
