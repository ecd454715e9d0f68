"""Build the report of a study from the results of its stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from pipeline.classification.targets import LEVEL_MIN_CATEGORY_SIZE, category_at_level
from pipeline.clustering.agreement import adjusted_rand_index, contingency_table
from pipeline.clustering.algorithms import kmeans
from pipeline.domain.category import Category
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress
from pipeline.domain.study import StudyProtocol, TrialStatus
from pipeline.domain.study_report import (
    FeasibilityAssessment,
    FeasibilityThresholds,
    HardPair,
    LevelFigures,
    PairExample,
    StudyReport,
    SupervisedFigures,
    Trial,
    TrialMap,
    best_trials,
)
from pipeline.study.dataset import StudyDataset
from pipeline.study.label_issues import find_label_issues
from pipeline.study.sampling import MIN_CATEGORY_SIZE
from pipeline.study.study_steps import ReportHeader, StudyResults, TrialResult
from pipeline.study.supervised_scores import figures_without_result

LIBRARIES = ("numpy", "scipy", "scikit-learn", "gensim", "openTSNE", "opencv-python-headless", "openvino", "tensorflow")
MAX_PAIRS = 8
MAX_EXAMPLES = 4
MAX_LEVEL_CATEGORIES = 200  # more clusters on one map take minutes and tell little


def build_report(
    results: StudyResults, header: ReportHeader, thresholds: FeasibilityThresholds, progress: Progress
) -> StudyReport:
    """Build the report; finding the label issues takes most of the time."""
    dataset, plan = results.dataset, results.plan
    trials = tuple(trial for result in results.trials.values() for trial in result.trials)
    supervised = [figures for result in results.supervised.values() for figures in result.figures]
    assessment = FeasibilityAssessment.of(trials, supervised, thresholds)
    if plan.repeats:
        supervised += untrained_figures(results.trials)
    maps = {name: result.map for name, result in results.trials.items() if result.map}
    return StudyReport(
        subject=header.subject,
        study_id=header.study_id,
        created_at=header.created_at.isoformat(),
        level=dataset.level,
        levels=compare_levels(dataset.paths, dataset.level, maps, trials),
        categories=dataset.categories,
        counts=tuple(np.bincount(dataset.labels, minlength=dataset.n_categories).tolist()),
        listings=dataset.n_labelled,
        studied=len(dataset.labels),
        without_photo=_count_without_photo(results),
        without_text=sum(not evidence.has_text for evidence in dataset.text_evidences),
        fingerprint=dataset.fingerprint,
        seeds=plan.seeds,
        perplexity=plan.perplexity,
        libraries=_library_versions(),
        seconds=round(_summed_seconds(trials, supervised, results) if header.seconds is None else header.seconds, 3),
        verdict=assessment.verdict,
        assessment=assessment,
        trials=trials,
        maps=maps,
        matrices={name: result.matrix for name, result in results.trials.items() if result.matrix},
        hardest_pairs=hardest_pairs(dataset, results.trials),
        clusterings=results.clusterings,
        supervised=tuple(supervised),
        learning_curve=tuple(point for result in results.supervised.values() for point in result.curve),
        label_issues=find_label_issues(results.supervised.values(), dataset, results.features, progress),
        attributions=dataset.distinct_attributions(),
        rows=dataset.report_rows(),
        trend=header.past,
    )


def untrained_figures(results: Mapping[str, TrialResult]) -> list[SupervisedFigures]:
    """Empty supervised figures, with the reason, for each extractor whose trial could not be done."""
    figures = []
    for name, result in results.items():
        trial = result.trials[0]
        if trial.status is not TrialStatus.DONE and trial.modality is not Modality.FUSED:
            text, images = (name, []) if trial.modality is Modality.TEXT else (None, [name])
            figures.append(figures_without_result(text, images, trial.status, trial.reason, attributes=False))
    return figures


def hardest_pairs(dataset: StudyDataset, results: Mapping[str, TrialResult]) -> tuple[HardPair, ...]:
    """The pairs of categories that the clusters of the best extractor confuse most, with example listings.

    The best extractor is the one with the highest mean ARI under protocol B.
    """
    best = _best_result(results)
    if best is None or best.matrix is None or best.map is None:
        return ()
    categories, matrix = dataset.categories, np.asarray(best.matrix.matrix)
    totals = matrix.sum(axis=1)
    confused = matrix + matrix.T
    pairs = [(int(confused[a, b]), a, b) for a in range(len(matrix)) for b in range(a + 1, len(matrix))]
    ranked = sorted((pair for pair in pairs if pair[0]), key=lambda pair: (-pair[0], pair[1], pair[2]))
    rows_and_clusters = list(zip(best.map.rows, best.map.clusters, strict=True))
    return tuple(
        HardPair(
            extractor=best.trials[0].extractor,
            a=categories[a],
            b=categories[b],
            confused=count,
            share=count / int(totals[a] + totals[b]),
            examples=tuple(
                PairExample(row, categories[dataset.labels[row]], categories[cluster])
                for row, cluster in rows_and_clusters
                if {int(dataset.labels[row]), cluster} == {a, b}
            )[:MAX_EXAMPLES],
        )
        for count, a, b in ranked[:MAX_PAIRS]
    )


def _best_result(results: Mapping[str, TrialResult]) -> TrialResult | None:
    candidates = [result for result in results.values() if result.map and result.matrix]
    trials = best_trials(trial for result in candidates for trial in result.trials)
    best = max(trials.values(), key=lambda trial: trial.mean_ari, default=None)
    return None if best is None else results[best.extractor]


def compare_levels(
    paths: Sequence[str], studied_level: int, maps: Mapping[str, TrialMap], trials: Sequence[Trial]
) -> tuple[LevelFigures, ...]:
    """Figures per level of the taxonomy, from the top; empty if it has only one level, or if ``paths`` are unknown.

    ``paths`` are the full categories of the listings. For each level, the best map of each modality is clustered once
    into as many clusters as the level has categories. Only the trials, of ``studied_level``, are repeated over seeds.
    """
    depth = max((Category.parse(path).level for path in paths), default=0)
    best = best_trials(trial for trial in trials if trial.extractor in maps)
    best_maps = {modality: maps[trial.extractor] for modality, trial in best.items()}
    figures: list[LevelFigures] = []
    for level in range(1, depth + 1):
        names = [category_at_level(path, level) for path in paths]
        counts = Counter(names)
        if figures and level != studied_level and len(counts) == figures[-1].categories:
            continue  # this level divides no category of the level above
        ari = {
            modality: _level_ari(names, best_maps[modality]) if modality in best_maps else None for modality in Modality
        }
        large_enough = sum(count for count in counts.values() if count >= LEVEL_MIN_CATEGORY_SIZE)
        figures.append(LevelFigures(level, len(counts), large_enough / len(names), level == studied_level, ari))
    return tuple(figures) if len(figures) > 1 else ()


def _level_ari(names: Sequence[str], trial_map: TrialMap) -> float | None:
    """The ARI of one clustering of a map; None if the level has a single category, or too many."""
    counts = Counter(names[row] for row in trial_map.rows)
    categories = sorted(name for name, count in counts.items() if count >= MIN_CATEGORY_SIZE)
    if not 1 < len(categories) <= MAX_LEVEL_CATEGORIES:
        return None
    label_of = {name: label for label, name in enumerate(categories)}
    indices = [index for index, row in enumerate(trial_map.rows) if names[row] in label_of]
    labels = np.array([label_of[names[trial_map.rows[index]]] for index in indices], np.int64)
    points = np.asarray(trial_map.points, np.float32)[indices]
    return float(adjusted_rand_index(contingency_table(labels, kmeans(points, len(categories), trial_map.seed))))


def _count_without_photo(results: StudyResults) -> int:
    """The number of listings without a usable photo, by the photo features or, without these, by the photos."""
    masks = [features.present for features in results.features.values() if features.modality is Modality.IMAGE]
    if masks:
        return int(len(results.dataset.labels) - np.logical_or.reduce(masks).sum())
    return sum(evidence.photo is None for evidence in results.dataset.evidences)


def _summed_seconds(trials: Sequence[Trial], supervised: Sequence[SupervisedFigures], results: StudyResults) -> float:
    """The total seconds of all parts; both protocols share the features, so only the trials of B count."""
    by_extractor = {trial.extractor: trial.seconds or 0.0 for trial in trials if trial.protocol is StudyProtocol.B}
    comparisons = sum(result.seconds or 0.0 for result in results.clusterings)
    return sum(by_extractor.values()) + sum(figures.seconds for figures in supervised) + comparisons


def _library_versions() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
