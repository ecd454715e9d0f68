"""A study of whether a catalogue can be categorised automatically: its plan, stages and files."""

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
    """Clustering methods. The protocols use k-means; a study may compare it with the others."""

    KMEANS = "kmeans"
    SPECTRAL = "spectral"
    HDBSCAN = "hdbscan"


OPTIONAL_METHODS = (ClusteringMethod.SPECTRAL, ClusteringMethod.HDBSCAN)


class StudyStatus(StrEnum):
    """The status of a study: running until its report is written, failed only if there is nothing to report."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Stage(StrEnum):
    """The stages of a study, in order; each begins when every job of the previous stage has ended."""

    SAMPLE = "sample"
    TRIAL = "trial"
    COMBINE = "combine"
    COMPARE = "compare"
    SUPERVISED = "supervised"
    CONCLUDE = "conclude"


# The approximate share of a study's time that each stage takes, for progress bars.
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
# Values of a job's ``stage`` other than a Stage: begin the studies of a period; continue without a job that failed.
PLAN_STAGE = "plan"
ADVANCE_STAGE = "advance"


class TrialStatus(StrEnum):
    """The status of a trial; ``unavailable`` means that something is not installed, and the reason says what to do."""

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
    """The options of a study. Empty ``extractors`` mean all of them; ``level`` None means the level training would use.

    At most ``sample`` listings are studied, stratified by category. ``folds`` and ``repeats`` configure the
    cross-validation; with 0 repeats there are no supervised figures. The ``clusterings``, some of OPTIONAL_METHODS, are
    compared with k-means.
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
        """The plan in a JSON object made by ``dataclasses.asdict``."""
        tuples: dict[str, tuple[Any, ...]] = {
            name: tuple(fields[name]) for name in ("extractors", "seeds") if name in fields
        }
        methods = tuple(ClusteringMethod(name) for name in fields.get("clusterings", ()))
        return cls(**{**fields, **tuples, "clusterings": methods})


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
    """A study to begin. ``requested_by`` is None for a scheduled one; at most one study has a given ``unique_key``."""

    taxonomy_id: int
    plan: StudyPlan
    requested_by: str | None
    unique_key: str | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """A study as its stages need it; ``past`` are the earlier concluded studies, oldest first."""

    id: int
    taxonomy_id: int
    taxonomy: str
    plan: StudyPlan
    status: StudyStatus
    created_at: datetime
    past: tuple[PastStudy, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A labelled listing that may be drawn into a study's sample.

    ``photo`` is the storage key of its first photo, which ends in the SHA-256 of the bytes; ``reference`` is the
    seller's reference to a photo that has not been fetched yet. ``attribution`` must be shown beside a listing that was
    imported from a product database.
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
    """The sample of a study: ``studied`` of all labelled ``listings``, with the number of ``categories`` at a level."""

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
        """The spread of the values of the runs; without an interval, their minimum and maximum are used."""
        mean = sum(values) / len(values)
        std = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
        return cls(mean, std, min(values) if low is None else low, max(values) if high is None else high)


@dataclass(frozen=True, slots=True)
class StageJobs:
    """A stage and the names of its jobs; the name is None for the only job of a stage."""

    stage: Stage
    names: Sequence[str | None]


def next_stage(stage: Stage, agenda: Mapping[str, Sequence[str]]) -> StageJobs | None:
    """The stage after ``stage`` with its jobs; None after the last stage.

    ``agenda`` has the job names of the stages that may have several jobs; such a stage is skipped if it has none.
    """
    for candidate in list(Stage)[list(Stage).index(stage) + 1 :]:
        names = agenda.get(candidate, [])
        if candidate not in (Stage.TRIAL, Stage.COMPARE, Stage.SUPERVISED):
            return StageJobs(candidate, [None])
        if names:
            return StageJobs(candidate, list(names))
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
_FILE_NAME = re.compile(
    r"report\.(?:json|css|js)|(?:report|body)\.(?:en|fr)\.html|photos\.webp|figures/[\w+.-]{1,70}\.png|tables/[\w+.-]{1,70}\.csv",
    re.ASCII,
)


def file_type(name: str) -> str | None:
    """The media type of a rendered file of a study; None if the name is not that of such a file."""
    return FILE_TYPES[name.rpartition(".")[2]] if _FILE_NAME.fullmatch(name) else None


def study_key(study_id: int, name: str = "") -> str:
    """The key of a study's file in the object storage; without a name, the common prefix of its files."""
    return f"studies/{study_id}/{name}"
