"""Study: whether a catalogue can be categorised automatically; Trial: one extractor under one protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Protocol(StrEnum):
    """How features are clustered: A, k-means on the reduced features; B, k-means on their 2-D t-SNE."""

    A = "A"
    B = "B"


class Clustering(StrEnum):
    """Ways to cluster. The protocols' own is k-means; the others stand beside it in a study that asks for them."""

    KMEANS = "kmeans"
    SPECTRAL = "spectral"
    HDBSCAN = "hdbscan"


# What a study may ask for beside k-means.
FURTHER = (Clustering.SPECTRAL, Clustering.HDBSCAN)


class StudyStatus(StrEnum):
    """A study runs until it is concluded; it fails only when nothing of it can be had."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Stage(StrEnum):
    """The stages of a study, in their order; the next begins when every job of the one before has ended."""

    SAMPLE = "sample"
    TRIAL = "trial"
    COMBINE = "combine"
    COMPARE = "compare"
    SUPERVISED = "supervised"
    CONCLUDE = "conclude"


# The share of a study's time that each stage takes, roughly; for progress bars.
WEIGHTS: Mapping[Stage, float] = {
    Stage.SAMPLE: 0.03,
    Stage.TRIAL: 0.5,
    Stage.COMBINE: 0.12,
    Stage.COMPARE: 0.02,
    Stage.SUPERVISED: 0.28,
    Stage.CONCLUDE: 0.05,
}
# The file that holds the listings on the wrong shelf, ready to be listed.
WRONG_SHELVES = "wrong_shelves.json"
# What a job of a study may ask for beside a stage: the studies of a period; the stage of a job that was given up.
PLAN = "plan"
ADVANCE = "advance"


class TrialStatus(StrEnum):
    """How a trial ended; ``unavailable`` is an extractor that lacks something here, and the reason says what to do."""

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
    """What to study. ``extractors`` empty means every row of the table; ``level`` None is found out.

    ``sample`` is the most listings studied, drawn evenly over the categories. ``folds`` and ``repeats`` are those of
    the supervised figures; 0 repeats leave them out. ``clusterings``, of FURTHER, are compared with k-means.
    """

    extractors: tuple[str, ...] = ()
    level: int | None = None
    sample: int | None = None
    seeds: tuple[int, ...] = tuple(range(10))
    perplexity: float = 30.0
    folds: int = 5
    repeats: int = 2
    clusterings: tuple[Clustering, ...] = ()

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> StudyPlan:
        """The plan that ``dataclasses.asdict`` and JSON made these fields of."""
        lists: dict[str, tuple[Any, ...]] = {n: tuple(fields[n]) for n in ("extractors", "seeds") if n in fields}
        further = tuple(Clustering(name) for name in fields.get("clusterings", ()))
        return cls(**{**fields, **lists, "clusterings": further})


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """A study to begin, requested by a person or (None) by the schedule; there is one of each ``unique_key``."""

    taxonomy_id: int
    plan: StudyPlan
    requested_by: str | None
    unique_key: str | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """A study as its stages need to know it; ``past``, the report's trend, are those before it, oldest first."""

    id: int
    taxonomy_id: int
    taxonomy: str
    plan: StudyPlan
    status: StudyStatus
    created_at: datetime
    past: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A labelled listing that a study may choose.

    ``photo`` is the storage key of its first photo, which ends in the SHA-256 of the bytes; ``reference`` is what the
    seller named, while it has not been fetched. ``attribution`` is to be shown beside it, for one that was collected
    from a product database.
    """

    listing_id: int
    revision_id: int
    key: str
    category: str
    photo: str | None = None
    reference: str | None = None
    attribution: str | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several runs: mean, standard deviation, and a 95 % bootstrap interval from ``low`` to ``high``."""

    mean: float
    std: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], low: float | None = None, high: float | None = None) -> Spread:
        """Of the values of the runs; without an interval, their extremes stand for it."""
        mean = sum(values) / len(values)
        std = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
        return cls(mean, std, min(values) if low is None else low, max(values) if high is None else high)


def following(stage: Stage, agenda: Mapping[str, Sequence[str]]) -> tuple[Stage, Sequence[str | None]] | None:
    """The stage after ``stage`` and what its jobs are about, one each; None after the last.

    ``agenda`` names the jobs of the stages that have several; one that has nothing to do is passed over.
    """
    for later in list(Stage)[list(Stage).index(stage) + 1 :]:
        names = agenda.get(later, [])
        if later not in (Stage.TRIAL, Stage.COMPARE, Stage.SUPERVISED):
            return later, [None]
        if names:
            return later, list(names)
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
    """The media type of a rendered file of a study; None for a name that no such file has, whatever it tries."""
    return FILE_TYPES[name.rpartition(".")[2]] if _FILE.fullmatch(name) else None


def study_key(study_id: int, name: str = "") -> str:
    """Where a file of a study lies in the object storage; without a name, the prefix of all of them."""
    return f"studies/{study_id}/{name}"
