"""The interface of a study's steps, and their results. ``StudyRun`` calls the steps; tests use fast fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.json_record import JsonRecord, StoredAs
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import Progress
from pipeline.domain.study import PastStudy, StudyPlan
from pipeline.domain.study_report import (
    ClusteringResult,
    ConfusionMatrix,
    LearningCurvePoint,
    StudyReport,
    SupervisedFigures,
    Trial,
    TrialMap,
)
from pipeline.study.dataset import StudyDataset
from pipeline.study.feature_combination import FeatureCombination
from pipeline.study.features import Features, FeatureStore
from pipeline.study.sampling import DrawnSample

Photos = Callable[[int], bytes | None]
"""Returns the photo of a listing by its row, or None; called from several threads."""
WeightsPath = Callable[[str], str | None]
"""Returns the local path of an extractor's weights by its name, or None."""


@dataclass(frozen=True, slots=True)
class TrialResult(JsonRecord):
    """The trials of one extractor under both protocols; ``map`` and ``matrix`` are those of B, None if it failed."""

    trials: Annotated[tuple[Trial, ...], StoredAs("rows")]
    map: Annotated[TrialMap | None, StoredAs("picture")] = None
    matrix: ConfusionMatrix | None = None


@dataclass(frozen=True, slots=True)
class TsneMaps:
    """The t-SNE maps of all seeds: the ``rows`` of the listings on them, shape (m,), and points, (seeds, m, 2)."""

    rows: NDArray[np.int64]
    points: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ClusteredFeatures:
    """The result of the trials of one extractor, and the maps, on which other clustering methods are compared."""

    result: TrialResult
    maps: TsneMaps


@dataclass(frozen=True, slots=True)
class SupervisedResult:
    """The result of a supervised job: figures of the report, and points of its learning curve.

    ``probabilities`` are the held-out ones, if any: float32, shape (n, categories), zeros for a listing without any.
    """

    figures: tuple[SupervisedFigures, ...]
    curve: tuple[LearningCurvePoint, ...] = ()
    probabilities: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class StudyResults:
    """The results of all stages: trials by extractor or combination, supervised results by job, clustering comparisons.

    ``features`` are those of single extractors, without the combinations.
    """

    plan: StudyPlan
    dataset: StudyDataset
    features: Mapping[str, Features]
    trials: Mapping[str, TrialResult]
    supervised: Mapping[str, SupervisedResult]
    clusterings: tuple[ClusteringResult, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportHeader:
    """The subject of a report and when it was created; ``past`` are earlier studies, oldest first.

    ``seconds`` is the duration, None for a study that was interrupted: the report then sums the seconds of its parts.
    """

    subject: str
    created_at: datetime
    study_id: int | None = None
    past: tuple[PastStudy, ...] = ()
    seconds: float | None = None


class StudySteps(Protocol):
    """The steps of a study, in the order in which they run."""

    def draw_sample(self, categories: Sequence[str], plan: StudyPlan) -> DrawnSample:
        """Draw a sample of listings, given their categories as full paths; InvalidInput when there are too few."""
        ...

    def compute_features(
        self, name: str, evidences: Sequence[Evidence], store: FeatureStore, weights: str | None, progress: Progress
    ) -> Features:
        """Compute the features of one extractor; Unavailable when its weights or libraries are missing."""
        ...

    def run_trials(
        self, features: Features, labels: NDArray[np.int64], n_categories: int, plan: StudyPlan, progress: Progress
    ) -> ClusteredFeatures:
        """Cluster features under both protocols; InvalidInput when too few listings have them."""
        ...

    def choose_combinations(self, features: Sequence[Features]) -> list[FeatureCombination]:
        """Choose the text and photo features to combine."""
        ...

    def combine_features(self, combination: FeatureCombination) -> Features:
        """Combine text and photo features."""
        ...

    def compare_clusterings(
        self, features: Features, maps: TsneMaps, dataset: StudyDataset, plan: StudyPlan, progress: Progress
    ) -> tuple[ClusteringResult, ...]:
        """Cluster features by k-means and by the plan's other methods, under both protocols."""
        ...

    def supervised_jobs(self, extractors: Sequence[str]) -> list[str]:
        """The names of the supervised jobs for the extractors whose trials are done."""
        ...

    def run_supervised_job(
        self, name: str, dataset: StudyDataset, plan: StudyPlan, weights: WeightsPath, progress: Progress
    ) -> SupervisedResult:
        """Run one of ``supervised_jobs``; Unavailable when the weights or libraries of an extractor are missing."""
        ...

    def build_report(self, results: StudyResults, header: ReportHeader, progress: Progress) -> StudyReport:
        """Build the report from the results of the stages."""
        ...

    def render(self, report: StudyReport, photos: Photos) -> dict[str, bytes]:
        """The files of a report by name; ``report.json`` is written by the caller."""
        ...
