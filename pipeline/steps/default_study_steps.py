"""The default steps of a study. They load the numerical libraries, so only code that runs a study imports them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.listing import Evidence
from pipeline.domain.progress import Progress
from pipeline.domain.study import StudyPlan
from pipeline.domain.study_report import ClusteringResult, FeasibilityThresholds, StudyReport
from pipeline.study.build_report import build_report
from pipeline.study.clustering_comparison import compare_clusterings
from pipeline.study.dataset import StudyDataset
from pipeline.study.feature_combination import FeatureCombination, choose_combinations, combine_features
from pipeline.study.features import Features, FeatureStore, compute_features
from pipeline.study.sampling import DrawnSample, draw_sample
from pipeline.study.study_steps import (
    ClusteredFeatures,
    Photos,
    ReportHeader,
    StudyResults,
    SupervisedResult,
    TsneMaps,
    WeightsPath,
)
from pipeline.study.supervised_jobs import run_supervised_job, supervised_jobs
from pipeline.study.trials import run_trials
from pipeline.study_report.html_report import render


@dataclass(frozen=True, slots=True)
class DefaultStudySteps:
    """Implements ``pipeline.study.study_steps.StudySteps``; ``thresholds`` determine the verdict."""

    thresholds: FeasibilityThresholds = field(default_factory=FeasibilityThresholds)

    def draw_sample(self, categories: Sequence[str], plan: StudyPlan) -> DrawnSample:
        """Draw a sample of listings, stratified by category."""
        return draw_sample(categories, plan)

    def compute_features(
        self, name: str, evidences: Sequence[Evidence], store: FeatureStore, weights: str | None, progress: Progress
    ) -> Features:
        """Compute the features of one extractor."""
        return compute_features(name, evidences, store, weights, progress)

    def run_trials(
        self, features: Features, labels: NDArray[np.int64], n_categories: int, plan: StudyPlan, progress: Progress
    ) -> ClusteredFeatures:
        """Cluster features under both protocols."""
        return run_trials(features, labels, n_categories, plan, progress)

    def choose_combinations(self, features: Sequence[Features]) -> list[FeatureCombination]:
        """Choose the text and photo features to combine."""
        return choose_combinations(features)

    def combine_features(self, combination: FeatureCombination) -> Features:
        """Combine text and photo features."""
        return combine_features(combination)

    def compare_clusterings(
        self, features: Features, maps: TsneMaps, dataset: StudyDataset, plan: StudyPlan, progress: Progress
    ) -> tuple[ClusteringResult, ...]:
        """Cluster features by k-means and by the other methods of the plan."""
        return compare_clusterings(features, maps, dataset, plan, progress)

    def supervised_jobs(self, extractors: Sequence[str]) -> list[str]:
        """The names of the supervised jobs."""
        return supervised_jobs(extractors)

    def run_supervised_job(
        self, name: str, dataset: StudyDataset, plan: StudyPlan, weights: WeightsPath, progress: Progress
    ) -> SupervisedResult:
        """Run one supervised job."""
        return run_supervised_job(name, dataset, plan, weights, progress)

    def build_report(self, results: StudyResults, header: ReportHeader, progress: Progress) -> StudyReport:
        """Build the report from the results of the stages."""
        return build_report(results, header, self.thresholds, progress)

    def render(self, report: StudyReport, photos: Photos) -> dict[str, bytes]:
        """The files of a report by name."""
        return render(report, photos)
