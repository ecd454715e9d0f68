"""FakeStudySteps steps of a study: their results have the right shapes, calls are counted, and nothing is learned."""

# ruff: noqa: ARG002 - the fakes have the signatures of the steps
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.category import Category
from pipeline.domain.errors import InvalidInput
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress
from pipeline.domain.study import ClusteringMethod, Feasibility, Spread, StudyPlan, StudyProtocol, TrialStatus
from pipeline.domain.study_report import (
    ClusteringResult,
    ConfusionMatrix,
    FeasibilityAssessment,
    LabelIssue,
    LearningCurvePoint,
    Neighbour,
    StudyReport,
    SupervisedFigures,
    Trial,
    TrialMap,
)
from pipeline.study.dataset import StudyDataset
from pipeline.study.feature_combination import FeatureCombination
from pipeline.study.features import Features, FeatureStore
from pipeline.study.sampling import DrawnSample
from pipeline.study.study_steps import (
    ClusteredFeatures,
    Photos,
    ReportHeader,
    StudyResults,
    SupervisedResult,
    TrialResult,
    TsneMaps,
    WeightsPath,
)

POINTS = np.zeros((1, 1, 2), np.float32)
SPREAD = Spread(mean=0.5, std=0.1, low=0.4, high=0.6)


def silent(_share: float, _note: str, /) -> None:
    """Progress that is not watched."""


def done_trial(extractor: str, modality: Modality, protocol: StudyProtocol, ari: Spread = SPREAD) -> Trial:
    """A trial that is done."""
    return Trial(
        extractor=extractor,
        modality=modality,
        protocol=protocol,
        method=ClusteringMethod.KMEANS,
        ari=ari,
        ami=0.5,
        v_measure=0.5,
        silhouette=0.1,
        accuracy=0.6,
        n=24,
        dimensions=3,
        seconds=0.2,
        memory=1000,
        reused=0,
        status=TrialStatus.DONE,
        reason=None,
    )


def trained_figures(extractor: str, accuracy: Spread | None = SPREAD) -> SupervisedFigures:
    """Supervised figures that are done."""
    return SupervisedFigures(
        extractor=extractor,
        modality=Modality.TEXT,
        evidence=("name",),
        accuracy=accuracy,
        macro_f1=accuracy,
        n=24,
        folds=5,
        repeats=2,
        seconds=0.1,
        status=TrialStatus.DONE,
        reason=None,
    )


@dataclass
class FakeStudySteps:
    """Implements ``StudySteps``; ``fail`` maps an extractor, a pair or a job to the error that it raises.

    Jobs are named ``compare NAME``, ``supervised NAME`` and ``report``; ``before`` is called before each.
    """

    fail: dict[str, Exception] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    seen: dict[str, list[Evidence]] = field(default_factory=dict)
    before: Callable[[str], None] = lambda _name: None

    def draw_sample(self, categories: Sequence[str], plan: StudyPlan) -> DrawnSample:
        level = plan.level or 1
        names = [str(Category.parse(category).at_level(level)) for category in categories]
        kept = sorted(name for name, count in Counter(names).items() if count >= 2)
        if len(kept) < 2:
            raise InvalidInput(f"fewer than two categories have two listings or more: {', '.join(kept) or 'none'}")
        indices = [index for index, name in enumerate(names) if name in kept][: plan.sample]
        labels = [kept.index(names[index]) for index in indices]
        return DrawnSample(level, tuple(kept), np.array(indices, np.int64), np.array(labels, np.int64))

    def compute_features(
        self,
        name: str,
        evidences: Sequence[Evidence],
        store: FeatureStore,
        weights: str | None,
        progress: Progress,
    ) -> Features:
        self.called(name)
        self.seen[name] = list(evidences)
        modality = extractor_spec(name).modality
        present = np.array([e.has_text if modality is Modality.TEXT else e.photo is not None for e in self.seen[name]])
        progress(1.0, f"computed {name}")
        return Features(name, modality, np.ones((len(present), 3), np.float32), present, 0.1, 1000, 0)

    def run_trials(
        self,
        features: Features,
        labels: NDArray[np.int64],
        n_categories: int,
        plan: StudyPlan,
        progress: Progress,
    ) -> ClusteredFeatures:
        assert len(labels) == len(features.present)
        trials = tuple(done_trial(features.extractor, features.modality, protocol) for protocol in StudyProtocol)
        progress(1.0, f"clustered {features.extractor}")
        result = TrialResult(trials, TrialMap(0, (0,), ((0.0, 0.0),), (0,)), ConfusionMatrix(((1,),), (0.5,)))
        return ClusteredFeatures(result, TsneMaps(np.array([0]), POINTS))

    def choose_combinations(self, features: Sequence[Features]) -> list[FeatureCombination]:
        texts = [each for each in features if each.modality is Modality.TEXT]
        images = [each for each in features if each.modality is Modality.IMAGE]
        return [FeatureCombination((texts[0],), images[0])] if texts and images else []

    def combine_features(self, combination: FeatureCombination) -> Features:
        self.called(combination.name)
        present = combination.has_text | combination.image.present
        return Features(combination.name, Modality.FUSED, combination.texts[0].matrix, present, 0.1, 1000, 0)

    def compare_clusterings(
        self,
        features: Features,
        maps: TsneMaps,
        dataset: StudyDataset,
        plan: StudyPlan,
        progress: Progress,
    ) -> tuple[ClusteringResult, ...]:
        self.called(f"compare {features.extractor}")
        assert maps.points.tolist() == POINTS.tolist()
        return tuple(
            ClusteringResult(
                features.extractor, features.modality, StudyProtocol.B, method, ari=SPREAD, status=TrialStatus.DONE
            )
            for method in plan.clusterings
        )

    def supervised_jobs(self, extractors: Sequence[str]) -> list[str]:
        return list(extractors)

    def run_supervised_job(
        self,
        name: str,
        dataset: StudyDataset,
        plan: StudyPlan,
        weights: WeightsPath,
        progress: Progress,
    ) -> SupervisedResult:
        self.called(f"supervised {name}")
        probabilities = np.full((len(dataset.labels), dataset.n_categories), 0.5, np.float32)
        point = LearningCurvePoint(Modality.TEXT, 5, SPREAD)
        return SupervisedResult((trained_figures(name),), (point,), probabilities)

    def build_report(self, results: StudyResults, header: ReportHeader, progress: Progress) -> StudyReport:
        self.called("report")
        dataset = results.dataset
        trials = tuple(trial for each in results.trials.values() for trial in each.trials)
        issue = LabelIssue(0, "a", "b", 0.9, 0.1, 0.5, (Neighbour(1, dataset.categories[-1], 0.8),))
        return StudyReport(
            subject=header.subject,
            study_id=header.study_id,
            created_at=header.created_at.isoformat(),
            level=dataset.level,
            categories=dataset.categories,
            counts=(),
            listings=dataset.n_labelled,
            studied=len(dataset.labels),
            without_photo=0,
            without_text=0,
            fingerprint=dataset.fingerprint,
            seeds=results.plan.seeds,
            perplexity=results.plan.perplexity,
            libraries={},
            seconds=1.0,
            verdict=Feasibility.PROMISING,
            assessment=FeasibilityAssessment.of(
                [trial for each in results.trials.values() for trial in each.trials], ()
            ),
            trials=trials,
            maps={},
            matrices={},
            hardest_pairs=(),
            clusterings=results.clusterings,
            supervised=tuple(figures for each in results.supervised.values() for figures in each.figures),
            learning_curve=(),
            label_issues=(issue,),
            rows=dataset.report_rows(),
            trend=header.past,
        )

    def render(self, report: StudyReport, photos: Photos) -> dict[str, bytes]:
        photos(0)
        return {"report.en.html": b"<!doctype html>", "tables/trials.csv": b"extractor\n"}

    def called(self, name: str) -> None:
        self.calls[name] += 1
        self.before(name)
        if name in self.fail:
            raise self.fail[name]
