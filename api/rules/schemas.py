"""Request and response schemas of the rules that map the categories of a source to its taxonomy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from api.parameters import Clean
from infra.store.rules.coverage_and_conflicts import CoverageReport
from infra.store.rules.queries import ProposalJob, RuleView
from pipeline.domain.job import JobState
from pipeline.domain.rule import MAX_SOURCE_CATEGORY_LENGTH, RuleStatus
from pipeline.domain.source import Source

EXAMPLE_RULE: dict[str, Any] = {"source_category": "en:champagnes", "category": "Drinks >> Wine >> Champagne"}
SourceCategory = Annotated[Clean, Field(min_length=1, max_length=MAX_SOURCE_CATEGORY_LENGTH)]


class RuleRequest(BaseModel):
    """A decision on a source's category: what it means, or does not mean (refused), in the taxonomy."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE_RULE]})

    source_category: SourceCategory = Field(description="as the source names it")
    category: Clean | None = Field(
        description="a category of the source's taxonomy; null: no category corresponds to it"
    )
    status: RuleStatus = Field(RuleStatus.ACCEPTED, description="accepted, or refused: it does not mean this")
    new: bool = Field(default=False, description="add the category to the taxonomy if it does not exist")


class RuleChangeRequest(BaseModel):
    """A decision on a rule: accepted, refused, or proposed again. Another ``category`` replaces that of the rule."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"status": "accepted"}]})

    status: RuleStatus = RuleStatus.ACCEPTED
    category: Clean | None = Field(None, description="another category, or null: no category corresponds to it")
    new: bool = Field(default=False, description="add the category to the taxonomy if it does not exist")


class AcceptAboveRequest(BaseModel):
    """Accept every proposal with at least this score."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"score": 0.8}]})

    score: float = Field(ge=0, le=1)


class ListingReference(BaseModel):
    """An example listing."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    category: str | None = Field(None, description="its decided category, for rules that decisions contradict")


class RuleResponse(BaseModel):
    """A rule: the meaning of a source's category in the taxonomy, with its score and grounds."""

    id: int
    source_category: str
    category: str | None = Field(description="null: no category corresponds to it")
    status: RuleStatus
    score: float | None = Field(description="belief in the rule, 0 to 1; null if it was not proposed")
    similarity: float | None = Field(description="belief by names and texts alone")
    agreement: float | None = Field(description="share of the decisions on its listings that agree with the category")
    support: int = Field(description="listings of the source that have the category")
    grounds: dict[str, Any] | None = Field(description="the components of the score")
    decided_by: str | None
    created_at: datetime
    updated_at: datetime
    examples: list[ListingReference]

    @classmethod
    def of(cls, rule: RuleView) -> Self:
        """Build the response from a stored rule."""
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
    """A page of rules, highest score first; ``next`` is the cursor of the next page, null at the end."""

    items: list[RuleResponse]
    next: str | None


class RuleReference(BaseModel):
    """A rule by its source category and its category in the taxonomy."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    source_category: str
    category: str | None


class Contradiction(BaseModel):
    """Two accepted rules with unrelated categories, and the number of listings to which both apply."""

    model_config = ConfigDict(from_attributes=True)

    one: RuleReference
    other: RuleReference
    listings: int
    examples: list[ListingReference]


class Contradicted(BaseModel):
    """An accepted rule with decisions against it, counted on the listings it labels."""

    model_config = ConfigDict(from_attributes=True)

    rule: RuleReference
    applies: int = Field(description="listings labelled by the rule")
    decided: int = Field(description="of these, by the model without a review")
    decided_against: int
    reviewed: int = Field(description="of these, by a person")
    reviewed_against: int
    examples: list[ListingReference]


class ProposalJobResponse(BaseModel):
    """The latest job that proposes rules for the source."""

    model_config = ConfigDict(from_attributes=True)

    job_id: int
    state: JobState
    progress: float
    note: str
    due: bool = Field(
        description="running, or only waiting for a worker; false: waiting for new listings to be decided"
    )


class CoverageResponse(BaseModel):
    """The coverage of a source by its rules; the four shares sum to 1 if anything was collected."""

    source: str
    taxonomy: str
    listings: int = Field(description="number of collected listings that are not withdrawn")
    counted: int = Field(description="number of listings that were counted: all, or a sample if there are many")
    mapped: int = Field(description="listings with an accepted rule that names a category")
    proposed: int = Field(description="listings with no accepted rule but a proposed one")
    nothing: int = Field(description="listings whose accepted rules all say that no category corresponds")
    none: int = Field(description="listings without any rule")
    shares: dict[str, float]
    rules: dict[str, int] = Field(description="number of rules by status")
    in_conflict: int = Field(description="listings whose accepted rules contradict each other")
    contradicting: list[Contradiction]
    contradicted: list[Contradicted]
    proposing: ProposalJobResponse | None

    @classmethod
    def of(
        cls, source: Source, report: CoverageReport, rules: Mapping[RuleStatus, int], job: ProposalJob | None
    ) -> Self:
        """Build the response from a coverage report."""
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
    """The number of rules that were accepted."""

    accepted: int
