"""Requests and responses of the rules that map a source's categories."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.parameters import Clean
from infra.store.rules.coverage import CoverageReport
from infra.store.rules.queries import ProposalJob, RuleView
from pipeline.domain.job import JobState
from pipeline.domain.rule import MAX_SOURCE_CATEGORY_LENGTH, RuleStatus
from pipeline.domain.source import Source

DECISION: dict[str, Any] = {"source_category": "en:champagnes", "category": "Drinks >> Wine >> Champagne"}
SourceCategory = Annotated[Clean, Field(min_length=1, max_length=MAX_SOURCE_CATEGORY_LENGTH)]


class RuleRequest(BaseModel):
    """A decision on a source's category: its meaning (``category`` null: none here), or a refused meaning."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [DECISION]})

    source_category: SourceCategory = Field(description="as the source names it")
    category: Clean | None = Field(description="of the source's taxonomy; null: it means nothing here")
    status: RuleStatus = Field(RuleStatus.ACCEPTED, description="accepted, or refused: it does not mean this")
    new: bool = Field(default=False, description="add the category to the taxonomy if it has none of this name")


class RuleChangeRequest(BaseModel):
    """A decision on a rule: accepted, refused, or open again (proposed). Another ``category`` replaces the rule's."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "accepted"}]})

    status: RuleStatus = RuleStatus.ACCEPTED
    category: Clean | None = Field(None, description="another category, or null: it means nothing here")
    new: bool = Field(default=False, description="add the category to the taxonomy if it has none of this name")


class AcceptAboveRequest(BaseModel):
    """Accept every proposal of at least this score."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"score": 0.8}]})

    score: float = Field(ge=0, le=1)


class ListingReference(BaseModel):
    """An example listing."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    category: str | None = Field(None, description="what was decided for it, where that matters here")


class RuleResponse(BaseModel):
    """A rule: the meaning of a source's category here, with the belief in it and its grounds."""

    id: int
    source_category: str
    category: str | None = Field(description="null: it means nothing here")
    status: RuleStatus
    score: float | None = Field(description="the belief in it, 0 to 1; null if it was not proposed")
    similarity: float | None = Field(description="the belief by names and texts alone")
    agreement: float | None = Field(description="share of the decisions on its listings that are in the category")
    support: int = Field(description="listings of the source that have the category")
    grounds: dict[str, Any] | None = Field(description="the components of the score")
    decided_by: str | None
    created_at: datetime
    updated_at: datetime
    examples: list[ListingReference]

    @classmethod
    def of(cls, rule: RuleView) -> Self:
        """The rule as it is returned."""
        return cls(
            id=rule.id,
            source_category=rule.source_category,
            category=rule.category,
            status=rule.status,
            score=rule.score,
            similarity=rule.similarity,
            agreement=rule.agreement,
            support=rule.support,
            grounds=rule.grounds.as_json() if rule.grounds else None,
            decided_by=rule.decided_by,
            created_at=rule.created_at,
            updated_at=rule.updated_at,
            examples=[ListingReference.model_validate(example) for example in rule.examples],
        )


class RulePage(BaseModel):
    """A page of rules, the most believed first; ``next`` is the cursor of the following one, null at the end."""

    items: list[RuleResponse]
    next: str | None


class RuleReference(BaseModel):
    """A rule by its two sides."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    source_category: str
    category: str | None


class Contradiction(BaseModel):
    """Two accepted rules with unrelated categories, and the number of listings that have both."""

    model_config = ConfigDict(from_attributes=True)

    one: RuleReference
    other: RuleReference
    listings: int
    examples: list[ListingReference]


class Contradicted(BaseModel):
    """A rule that decisions contradict, counted on the listings it labels."""

    model_config = ConfigDict(from_attributes=True)

    rule: RuleReference
    applies: int = Field(description="listings that have their label from it")
    decided: int = Field(description="of these, by the model without a review")
    decided_against: int
    reviewed: int = Field(description="of these, by a person")
    reviewed_against: int
    examples: list[ListingReference]


class ProposalJobResponse(BaseModel):
    """The last job that proposed rules for the source."""

    model_config = ConfigDict(from_attributes=True)

    job_id: int
    state: JobState
    progress: float
    note: str
    due: bool = Field(description="at work, or waiting for a worker only")


class CoverageResponse(BaseModel):
    """The coverage of a source by its rules; the four shares sum to 1 if anything was collected."""

    source: str
    taxonomy: str
    listings: int = Field(description="collected ones that are not withdrawn")
    counted: int = Field(description="those that were counted: all, or a sample of many")
    mapped: int = Field(description="have an accepted rule that names a category")
    proposed: int = Field(description="have none, but a proposal")
    nothing: int = Field(description="have only accepted rules that say they mean nothing here")
    none: int = Field(description="have no rule at all")
    shares: dict[str, float]
    rules: dict[str, int] = Field(description="by status")
    in_conflict: int = Field(description="listings whose accepted rules contradict each other")
    contradicting: list[Contradiction]
    contradicted: list[Contradicted]
    proposing: ProposalJobResponse | None

    @classmethod
    def of(
        cls, source: Source, report: CoverageReport, rules: Mapping[RuleStatus, int], job: ProposalJob | None
    ) -> Self:
        """The coverage as it is returned."""
        coverage, conflicts = report.coverage, report.conflicts
        return cls(
            source=source.name,
            taxonomy=source.taxonomy,
            listings=coverage.listings,
            counted=coverage.counted,
            mapped=coverage.mapped,
            proposed=coverage.proposed,
            nothing=coverage.nothing,
            none=coverage.none,
            shares=coverage.shares,
            rules={status.value: count for status, count in rules.items()},
            in_conflict=conflicts.in_conflict,
            contradicting=[Contradiction.model_validate(pair) for pair in conflicts.contradicting],
            contradicted=[Contradicted.model_validate(rule) for rule in conflicts.contradicted],
            proposing=None if job is None else ProposalJobResponse.model_validate(job),
        )


class AcceptAboveResponse(BaseModel):
    """The number of rules accepted together."""

    accepted: int
