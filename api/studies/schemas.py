"""Requests for studies, and studies as they are answered; listings whose category is probably wrong as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.parameters import Clean
from infra.store.studies.queries import StudyDetails
from pipeline.domain.source import NAME_LIMIT
from pipeline.domain.study import OPTIONAL_METHODS, ClusteringMethod, StudyPlan

MAX_SEEDS = 50
MAX_EXTRACTORS = 50
EXAMPLE: dict[str, Any] = {
    "taxonomy": "marketplace",
    "level": 1,
    "sample": 5000,
    "extractors": ["tfidf", "fisher"],
    "seeds": 10,
}
LABEL_ISSUE_COLUMNS = (
    "rank",
    "listing_id",
    "key",
    "name",
    "given",
    "proposed",
    "confidence",
    "given_confidence",
    "score",
)
# Spreadsheets take cells that begin like this for formulas.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
CHUNK_ROWS = 500


class NewStudyRequest(BaseModel):
    """The study to start; everything may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    taxonomy: Annotated[Clean, Field(max_length=NAME_LIMIT)] | None = Field(
        None, description="by name; may be left out if there is only one"
    )
    level: int | None = Field(
        None, ge=1, le=12, description="level of the categories; by default chosen from the listings"
    )
    sample: int | None = Field(None, ge=2, le=1_000_000, description="the most listings to study; by default all")
    extractors: list[Annotated[Clean, Field(pattern=r"^[a-z0-9_]{1,40}$")]] = Field(
        [], max_length=MAX_EXTRACTORS, description="names of extractors; none means every one"
    )
    seeds: int = Field(10, ge=1, le=MAX_SEEDS, description="how many seeds, from 0")
    clusterings: list[Literal[ClusteringMethod.SPECTRAL, ClusteringMethod.HDBSCAN]] = Field(
        [], max_length=len(OPTIONAL_METHODS), description="further ways to cluster, compared with k-means"
    )
    supervised: bool = Field(default=True, description="also cross-validate estimators on the same features")

    def plan(self) -> StudyPlan:
        """The plan of the study."""
        return StudyPlan(
            extractors=tuple(dict.fromkeys(self.extractors)),
            level=self.level,
            sample=self.sample,
            seeds=tuple(range(self.seeds)),
            repeats=StudyPlan().repeats if self.supervised else 0,
            clusterings=tuple(dict.fromkeys(self.clusterings)),
        )


class StudySummary(BaseModel):
    """A study as lists show it. ``progress`` runs from 0 to 1; ``best`` is the best ARI by modality (protocol B)."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    taxonomy: str
    status: str
    stage: str
    progress: float
    requested_by: str | None = Field(description="null: it was due")
    plan: dict[str, Any]
    fingerprint: str | None = Field(description="SHA-256 of the listings that were studied")
    level: int | None
    categories: int | None
    listings: int | None = Field(description="labelled listings; studied are those of the sample")
    studied: int | None
    verdict: str | None
    best: dict[str, float | None] | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


class StudyPage(BaseModel):
    """A page of studies; ``next`` is the cursor of the following one, null at the end."""

    items: list[StudySummary]
    next: str | None


class StudyResponse(StudySummary):
    """A study with its trials, one row an extractor and protocol, and the addresses of its files once it is done."""

    trials: list[dict[str, Any]]
    doing: str = Field("", description="what workers are doing just now")
    files: dict[str, str]

    @classmethod
    def of(cls, study: StudyDetails, doing: str, files: dict[str, str]) -> Self:
        """The study as it is answered."""
        trials = [
            {
                **trial.figures,
                "extractor": trial.extractor,
                "modality": trial.modality,
                "protocol": trial.protocol,
                "status": trial.status.value,
                "reason": trial.reason,
            }
            for trial in study.trials
        ]
        card = StudySummary.model_validate(study).model_dump()
        return cls(**card, trials=trials, doing=doing, files=files)


class LabelIssueList(BaseModel):
    """Listings whose category is probably wrong, most suspicious first, with the nearest listings as evidence."""

    study: int
    fingerprint: str | None
    items: list[dict[str, Any]]
    next: str | None


def label_issues_csv(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The rows as CSV, in chunks; the nearest listings and the attribution are the last columns."""
    for start in range(0, max(len(rows), 1), CHUNK_ROWS):
        stream = io.StringIO()
        writer = csv.writer(stream)
        if not start:
            writer.writerow([*LABEL_ISSUE_COLUMNS, "nearest", "attribution"])
        for row in rows[start : start + CHUNK_ROWS]:
            near = "; ".join(f"{n['category']} ({n['similarity']:.2f}): {n['key']}" for n in row.get("neighbours", ()))
            values = [*(row.get(column) for column in LABEL_ISSUE_COLUMNS), near, row.get("attribution")]
            writer.writerow([_cell(value) for value in values])
        yield stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
