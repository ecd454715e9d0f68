"""Study: whether a catalogue can be categorised automatically; its plan, its stages and its files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pipeline.domain.json_record import JsonRecord
from pipeline.domain.prediction import Modality


class StudyProtocol(StrEnum):
    """How features are clustered: A, k-means on the reduced features; B, k-means on their 2-D t-SNE."""

    A = "A"
    B = "B"


class ClusteringMethod(StrEnum):
    """Clustering methods. The protocols use k-means; a study may ask for the others as a comparison."""

    KMEANS = "kmeans"
    SPECTRAL = "spectral"
    HDBSCAN = "hdbscan"


# The methods that a study may compare with k-means.
OPTIONAL_METHODS = (ClusteringMethod.SPECTRAL, ClusteringMethod.HDBSCAN)


class StudyStatus(StrEnum):
    """A study runs until its report is there; it fails only when there is nothing to report."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Stage(StrEnum):
    """The stages of a study, in order; the next one begins when every job of the one before has ended."""

    SAMPLE = "sample"
    TRIAL = "trial"
    COMBINE = "combine"
    COMPARE = "compare"
    SUPERVISED = "supervised"
    CONCLUDE = "conclude"


# The share of a study's time that each stage takes, roughly; for progress bars.
STAGE_SHARES: Mapping[Stage, float] = {
    Stage.SAMPLE: 0.03,
    Stage.TRIAL: 0.5,
    Stage.COMBINE: 0.12,
    Stage.COMPARE: 0.02,
    Stage.SUPERVISED: 0.28,
    Stage.CONCLUDE: 0.05,
}
# The file with the listings whose category is probably wrong.
LABEL_ISSUES_FILE = "wrong_shelves.json"
# What a job's ``stage`` may be besides a stage: begin the studies of a period; go on without a job that was given up.
PLAN_STAGE = "plan"
ADVANCE_STAGE = "advance"


class TrialStatus(StrEnum):
    """How a trial ended; ``unavailable`` means that something is missing here, and the reason says what to do."""

    WAITING = "waiting"
    DONE = "done"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class Feasibility(StrEnum):
    """The verdict of a study."""

    FEASIBLE = "feasible"
    PROMISING = "promising"
    NOT_FEASIBLE = "not_feasible"


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What to study. ``extractors`` empty means all of them; ``level`` None means the level that training would take.

    At most ``sample`` listings are studied, each category keeping its share. ``folds`` and ``repeats`` are those of the
    cross-validation; 0 repeats leave the supervised figures out. ``clusterings``, of OPTIONAL_METHODS, are compared
    with k-means.
    """

    extractors: tuple[str, ...] = ()
    level: int | None = None
    sample: int | None = None
    seeds: tuple[int, ...] = tuple(range(10))
    perplexity: float = 30.0
    folds: int = 5
    repeats: int = 2
    clusterings: tuple[ClusteringMethod, ...] = ()

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> StudyPlan:
        """The plan of a JSON object made by ``dataclasses.asdict``."""
        lists: dict[str, tuple[Any, ...]] = {n: tuple(fields[n]) for n in ("extractors", "seeds") if n in fields}
        methods = tuple(ClusteringMethod(name) for name in fields.get("clusterings", ()))
        return cls(**{**fields, **lists, "clusterings": methods})


@dataclass(frozen=True, slots=True)
class PastStudy(JsonRecord):
    """An earlier study of the same taxonomy; ``best`` is the best mean ARI under protocol B by modality."""

    study_id: int
    created_at: str
    fingerprint: str | None
    listings: int | None
    studied: int | None = None
    level: int | None = None
    verdict: Feasibility | None = None
    best: Mapping[Modality, float | None] | None = None


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """A study to begin, requested by a person or (None) by the schedule; there is one of each ``unique_key``."""

    taxonomy_id: int
    plan: StudyPlan
    requested_by: str | None
    unique_key: str | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """A study as its stages need it; ``past`` are the concluded studies before it, oldest first."""

    id: int
    taxonomy_id: int
    taxonomy: str
    plan: StudyPlan
    status: StudyStatus
    created_at: datetime
    past: tuple[PastStudy, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A labelled listing that a study may draw.

    ``photo`` is the storage key of its first photo, which ends in the SHA-256 of the bytes; ``reference`` is what the
    seller named, while it has not been fetched. ``attribution`` must be shown beside a listing that was imported from a
    product database.
    """

    listing_id: int
    revision_id: int
    key: str
    category: str
    photo: str | None = None
    reference: str | None = None
    attribution: str | None = None


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """What a study has drawn: how many of all labelled listings, in how many categories of which level."""

    fingerprint: str
    level: int
    categories: int
    listings: int
    studied: int


@dataclass(frozen=True, slots=True)
class Spread(JsonRecord):
    """A figure over several runs: mean, standard deviation, and a 95 % bootstrap interval from ``low`` to ``high``."""

    mean: float
    std: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], low: float | None = None, high: float | None = None) -> Spread:
        """The spread of the runs' values; without an interval, their extremes stand for it."""
        mean = sum(values) / len(values)
        std = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
        return cls(mean, std, min(values) if low is None else low, max(values) if high is None else high)


@dataclass(frozen=True, slots=True)
class StageJobs:
    """A stage and the names of its jobs; a stage with one job has the name None."""

    stage: Stage
    names: Sequence[str | None]


def next_stage(stage: Stage, agenda: Mapping[str, Sequence[str]]) -> StageJobs | None:
    """The stage after ``stage`` with its jobs; None after the last.

    ``agenda`` names the jobs of the stages that have several; such a stage without jobs is skipped.
    """
    for later in list(Stage)[list(Stage).index(stage) + 1 :]:
        names = agenda.get(later, [])
        if later not in (Stage.TRIAL, Stage.COMPARE, Stage.SUPERVISED):
            return StageJobs(later, [None])
        if names:
            return StageJobs(later, list(names))
    return None


FILE_TYPES = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "png": "image/png",
    "webp": "image/webp",
}
_FILE = re.compile(
    r"report\.(?:json|css|js)|(?:report|body)\.(?:en|fr)\.html|photos\.webp|figures/[\w+.-]{1,70}\.png|tables/[\w+.-]{1,70}\.csv",
    re.ASCII,
)


def file_type(name: str) -> str | None:
    """The media type of a rendered file of a study; None for any name that is not one of them."""
    return FILE_TYPES[name.rpartition(".")[2]] if _FILE.fullmatch(name) else None


def study_key(study_id: int, name: str = "") -> str:
    """The key of a study's file in the object storage; without a name, the prefix of all its files."""
    return f"studies/{study_id}/{name}"
