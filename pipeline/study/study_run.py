"""The run of one study, stage by stage, on a fixed set of listings; all results are stored in the study's folder.

A stage that finds its result in the folder returns it, so that a study resumes after a crash of a worker or Ctrl-C. An
error inside a trial becomes its result; only a TransientFailure, after which another attempt may succeed, is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.domain import extractors
from pipeline.domain.errors import InvalidInput, RayonError, TransientFailure, Unavailable
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, stage
from pipeline.domain.reason import Reason, reason_of
from pipeline.domain.study import LABEL_ISSUES_FILE, StudyPlan, TrialStatus, file_type
from pipeline.domain.study_report import (
    ClusteringResult,
    StudyReport,
    SupervisedFigures,
    Trial,
    label_issue_entries,
)
from pipeline.study.clustering_comparison import failed_comparison, features_to_compare
from pipeline.study.dataset import StudyDataset
from pipeline.study.feature_combination import FeatureCombination
from pipeline.study.features import Features, FeatureStore
from pipeline.study.study_steps import (
    ReportHeader,
    StudyResults,
    StudySteps,
    SupervisedResult,
    TrialResult,
    WeightsPath,
)
from pipeline.study.study_storage import WORK_FOLDER, StudyFolder
from pipeline.study.supervised_jobs import failed_supervised_job

# Approximate share of a trial's time that computing its features takes.
FEATURES_SHARE = 0.5
PAIRS_FILE = f"{WORK_FOLDER}pairs.json"
# The trial that represents all combinations when none could be tried.
ANY_PAIR = "text+image"


@dataclass(frozen=True, slots=True)
class StudyRun:
    """The plan, listings, folder and steps of one study; ``explain`` turns an unexpected error into a reason."""

    plan: StudyPlan
    dataset: StudyDataset
    folder: StudyFolder
    store: FeatureStore
    weights: WeightsPath
    steps: StudySteps
    explain: Callable[[Exception], Reason]

    def extractors(self) -> tuple[str, ...]:
        """The extractors of the plan, in the order of the table of extractors."""
        return planned_extractors(self.plan)

    def try_extractor(self, name: str, progress: Progress) -> tuple[Trial, ...]:
        """Run the trials of one extractor: its features, computed once, are clustered under both protocols."""
        modality = extractor_spec(name).modality

        def compute() -> Features:
            evidences = self.dataset.text_evidences if modality is Modality.TEXT else self.dataset.evidences
            features_progress = stage(progress, 0, FEATURES_SHARE)
            return self.steps.compute_features(name, evidences, self.store, self.weights(name), features_progress)

        return self._trials(name, modality, compute, stage(progress, FEATURES_SHARE, 1))

    def try_combinations(self, progress: Progress) -> tuple[Trial, ...]:
        """Run the trials of combined text and photo features, for those that the steps choose."""
        combinations = self.steps.choose_combinations(list(self.features().values()))
        self.folder.write_json(PAIRS_FILE, [combination.name for combination in combinations])
        trials: list[Trial] = []
        for number, combination in enumerate(combinations):

            def combine(combination: FeatureCombination = combination) -> Features:
                return self.steps.combine_features(combination)

            start, end = number / len(combinations), (number + 1) / len(combinations)
            trials += self._trials(combination.name, Modality.FUSED, combine, stage(progress, start, end))
        return tuple(trials)

    def fail_trial(self, name: str, reason: Reason) -> tuple[Trial, ...]:
        """Store the reason why an extractor could not be tried."""
        trials = Trial.without_figures(name, extractor_spec(name).modality, TrialStatus.FAILED, reason)
        return self._write_trials(name, TrialResult(trials))

    def fail_combinations(self, reason: Reason) -> tuple[Trial, ...]:
        """Store the reason why no combination could be tried."""
        self.folder.write_json(PAIRS_FILE, [ANY_PAIR])
        trials = Trial.without_figures(ANY_PAIR, Modality.FUSED, TrialStatus.FAILED, reason)
        return self._write_trials(ANY_PAIR, TrialResult(trials))

    def comparisons(self) -> list[str]:
        """The names of the features on which clustering methods are compared; empty if the plan has no other method."""
        if not self.plan.clusterings:
            return []
        return features_to_compare(trial for result in self._trial_results().values() for trial in result.trials)

    def compare_clusterings(self, name: str, progress: Progress) -> tuple[ClusteringResult, ...]:
        """Compare the clustering methods on the features of one of ``comparisons``."""
        stored = self._read_comparison(name)
        if stored is None:
            stored = self._compare_clusterings(name, progress)
            self._write_comparison(name, stored)
        return stored

    def fail_comparison(self, name: str, reason: Reason) -> None:
        """Store the reason why a comparison could not be done."""
        self._write_comparison(name, self._failed_comparison(name, reason))

    def supervised_jobs(self) -> list[str]:
        """The names of the supervised jobs; empty if the plan leaves out the supervised figures."""
        return self.steps.supervised_jobs(self._completed_extractors()) if self.plan.repeats else []

    def run_supervised_job(self, name: str, progress: Progress) -> tuple[SupervisedFigures, ...]:
        """Run one supervised job and return its figures."""
        result = self.folder.read_supervised(name)
        if result is None:
            try:
                result = self.steps.run_supervised_job(name, self.dataset, self.plan, self.weights, progress)
            except Exception as error:  # noqa: BLE001 (an error of a job is its result)
                result = failed_supervised_job(name, *self._status_and_reason(error))
            self.folder.write_supervised(name, result)
        return result.figures

    def fail_supervised_job(self, name: str, reason: Reason) -> None:
        """Store the reason why a supervised job could not be done."""
        self.folder.write_supervised(name, failed_supervised_job(name, TrialStatus.FAILED, reason))

    def conclude(self, header: ReportHeader, progress: Progress) -> StudyReport:
        """Build the report from the results in the folder and render it there; ``report.json`` is written last."""
        comparisons = [self._read_comparison(name) or () for name in self.comparisons()]
        results = StudyResults(
            plan=self.plan,
            dataset=self.dataset,
            features=self.features(),
            trials=self._trial_results(),
            supervised=self._supervised_results(),
            clusterings=tuple(result for comparison in comparisons for result in comparison),
        )
        progress(0.05, "looking for label issues")
        report = self.steps.build_report(results, header, stage(progress, 0.05, 0.4))
        progress(0.4, "drawing the figures")
        self.folder.write_json(LABEL_ISSUES_FILE, [entry.as_json() for entry in label_issue_entries(report)])
        for name, content in self.steps.render(report, self.dataset.photo).items():
            self.folder.write(name, content, file_type(name) or "application/octet-stream")
        self.folder.write_json("report.json", report.as_json())
        progress(1.0, "concluded")
        return report

    def features(self) -> dict[str, Features]:
        """The features of the single extractors whose trials are done."""
        features_by_name = {name: self.folder.read_features(name) for name in self._completed_extractors()}
        return {name: features for name, features in features_by_name.items() if features is not None}

    def _trials(
        self, name: str, modality: Modality, compute: Callable[[], Features], progress: Progress
    ) -> tuple[Trial, ...]:
        stored = self._read_trials(name)
        if stored is not None:
            return stored.trials
        try:
            features = compute()
            self.folder.write_features(features)
            clustered = self.steps.run_trials(
                features, self.dataset.labels, self.dataset.n_categories, self.plan, progress
            )
            if self.plan.clusterings:
                self.folder.write_maps(name, clustered.maps)
            return self._write_trials(name, clustered.result)
        except Exception as error:  # noqa: BLE001 (an error of a trial is its result)
            return self._write_trials(
                name, TrialResult(Trial.without_figures(name, modality, *self._status_and_reason(error)))
            )

    def _compare_clusterings(self, name: str, progress: Progress) -> tuple[ClusteringResult, ...]:
        features, maps = self.folder.read_features(name), self.folder.read_maps(name)
        if features is None or maps is None:
            return self._failed_comparison(name, Reason.other("its trial left no features"))
        try:
            return self.steps.compare_clusterings(features, maps, self.dataset, self.plan, progress)
        except Exception as error:  # noqa: BLE001 (an error of a comparison is its result)
            return self._failed_comparison(name, self._status_and_reason(error)[1])

    def _status_and_reason(self, error: Exception) -> tuple[TrialStatus, Reason]:
        """The status and reason of a result that failed with this error; raises a TransientFailure, to be retried."""
        if isinstance(error, TransientFailure):
            raise error
        if isinstance(error, Unavailable | InvalidInput):  # missing weights or libraries, or unsuitable listings
            return TrialStatus.UNAVAILABLE, reason_of(error)
        return TrialStatus.FAILED, reason_of(error) if isinstance(error, RayonError) else self.explain(error)

    def _write_trials(self, name: str, result: TrialResult) -> tuple[Trial, ...]:
        self.folder.write_json(f"{WORK_FOLDER}trials/{name}.json", result.as_json())
        return result.trials

    def _read_trials(self, name: str) -> TrialResult | None:
        stored = self.folder.read_json(f"{WORK_FOLDER}trials/{name}.json")
        return None if stored is None else TrialResult.from_json(stored)

    def _trial_results(self) -> dict[str, TrialResult]:
        """The results of all extractors and combinations tried so far."""
        names = (*self.extractors(), *(self.folder.read_json(PAIRS_FILE) or ()))
        stored_results = {name: self._read_trials(name) for name in names}
        return {name: result for name, result in stored_results.items() if result is not None}

    def _supervised_results(self) -> dict[str, SupervisedResult]:
        stored_results = {name: self.folder.read_supervised(name) for name in self.supervised_jobs()}
        return {name: result for name, result in stored_results.items() if result is not None}

    def _write_comparison(self, name: str, results: Iterable[ClusteringResult]) -> None:
        self.folder.write_json(_comparison_file(name), [result.as_json() for result in results])

    def _read_comparison(self, name: str) -> tuple[ClusteringResult, ...] | None:
        stored = self.folder.read_json(_comparison_file(name))
        return None if stored is None else tuple(map(ClusteringResult.from_json, stored))

    def _failed_comparison(self, name: str, reason: Reason) -> tuple[ClusteringResult, ...]:
        stored = self._read_trials(name)
        assert stored is not None
        return failed_comparison(name, stored.trials[0].modality, self.plan, reason)

    def _completed_extractors(self) -> list[str]:
        """The extractors with a completed trial."""
        stored_results = {name: self._read_trials(name) for name in self.extractors()}
        return [
            name
            for name, result in stored_results.items()
            if result is not None and any(trial.status is TrialStatus.DONE for trial in result.trials)
        ]


def planned_extractors(plan: StudyPlan) -> tuple[str, ...]:
    """The extractors of the plan, by default all that exist; InvalidInput for an unknown one."""
    for name in plan.extractors:
        extractor_spec(name)
    requested = set(plan.extractors)
    return tuple(spec.name for spec in extractors.EXTRACTORS if spec.name in requested or not requested)


def _comparison_file(name: str) -> str:
    return f"{WORK_FOLDER}clusterings/{name}.json"
