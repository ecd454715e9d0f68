"""Request and response schemas of studies, and label issues (listings with a probably wrong category) as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.parameters import Clean
from infra.store.studies.queries import StudyDetails
from pipeline.domain.csv_cells import guard_formula
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
ROWS_PER_CHUNK = 500


class NewStudyRequest(BaseModel):
    """The study to start; every field may be omitted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    taxonomy: Annotated[Clean, Field(max_length=NAME_LIMIT)] | None = Field(
        None, description="by name; may be omitted if there is only one"
    )
    level: int | None = Field(
        None, ge=1, le=12, description="level of the categories; by default chosen from the listings"
    )
    sample: int | None = Field(
        None, ge=2, le=1_000_000, description="maximum number of listings to study; by default all"
    )
    extractors: list[Annotated[Clean, Field(pattern=r"^[a-z0-9_]{1,40}$")]] = Field(
        [], max_length=MAX_EXTRACTORS, description="names of extractors; empty means all"
    )
    seeds: int = Field(10, ge=1, le=MAX_SEEDS, description="number of seeds, counted from 0")
    clusterings: list[Literal[ClusteringMethod.SPECTRAL, ClusteringMethod.HDBSCAN]] = Field(
        [], max_length=len(OPTIONAL_METHODS), description="additional clustering methods, compared with k-means"
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
    """A study in a list. ``progress`` runs from 0 to 1; ``best`` is the best ARI by modality (protocol B)."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    taxonomy: str
    status: str
    stage: str
    progress: float
    requested_by: str | None = Field(description="null: started by the schedule")
    plan: dict[str, Any]
    fingerprint: str | None = Field(description="SHA-256 of the listings that were studied")
    level: int | None
    categories: int | None
    listings: int | None = Field(description="number of labelled listings; `studied` counts those in the sample")
    studied: int | None
    verdict: str | None
    best: dict[str, float | None] | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


class StudyPage(BaseModel):
    """A page of studies; ``next`` is the cursor of the next page, null at the end."""

    items: list[StudySummary]
    next: str | None


class StudyResponse(StudySummary):
    """A study with its trials, one row per extractor and protocol, and the URLs of its files once it is done."""

    trials: list[dict[str, Any]]
    doing: str = Field("", description="what the workers are doing now")
    files: dict[str, str]

    @classmethod
    def of(cls, study: StudyDetails, current_activity: str, files: dict[str, str]) -> Self:
        """Build the response from a stored study."""
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
        summary = StudySummary.model_validate(study).model_dump()
        return cls(**summary, trials=trials, doing=current_activity, files=files)


class LabelIssueList(BaseModel):
    """Listings whose category is probably wrong, most suspicious first, with the nearest listings as evidence."""

    study: int
    fingerprint: str | None
    items: list[dict[str, Any]]
    next: str | None


def label_issues_csv(label_issues: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Label issues as CSV, in chunks; the last columns are the nearest listings and the attribution."""
    for start in range(0, max(len(label_issues), 1), ROWS_PER_CHUNK):
        stream = io.StringIO()
        writer = csv.writer(stream)
        if not start:
            writer.writerow([*LABEL_ISSUE_COLUMNS, "nearest", "attribution"])
        for row in label_issues[start : start + ROWS_PER_CHUNK]:
            nearest = "; ".join(
                f"{n['category']} ({n['similarity']:.2f}): {n['key']}" for n in row.get("neighbours", ())
            )
            values = [*(row.get(column) for column in LABEL_ISSUE_COLUMNS), nearest, row.get("attribution")]
            writer.writerow([_csv_cell(value) for value in values])
        yield stream.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    return guard_formula(value) if isinstance(value, str) else value
