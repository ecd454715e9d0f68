"""Other clustering methods beside k-means, on the same features, the same maps and the same seeds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.clustering import algorithms
from pipeline.clustering.agreement import ari_spread
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress
from pipeline.domain.reason import Reason
from pipeline.domain.study import ClusteringMethod, StudyPlan, StudyProtocol, TrialStatus
from pipeline.domain.study_report import ClusteringResult, Trial, best_trials
from pipeline.study.dataset import StudyDataset
from pipeline.study.features import Features
from pipeline.study.sampling import stratified_sample
from pipeline.study.study_steps import TsneMaps
from pipeline.study.trials import reduce_for_clustering

Labels = NDArray[np.int64]
MAX_COMPARED_LISTINGS = 5_000  # listings: the cost grows with their square, so that of more a sample is compared


def features_to_compare(trials: Iterable[Trial]) -> list[str]:
    """The best extractor or combination of each modality under protocol B.

    They are what the page shows first. Comparing all features would take as long as the study itself.
    """
    return [trial.extractor for trial in best_trials(trials).values()]


def compare_clusterings(
    features: Features, maps: TsneMaps, dataset: StudyDataset, plan: StudyPlan, progress: Progress
) -> tuple[ClusteringResult, ...]:
    """k-means and each of the plan's other methods under both protocols; the categories only score.

    A method that fails costs its own results.
    """
    rows = np.flatnonzero(features.present)
    part = _sample(dataset.labels[rows])
    vectors = reduce_for_clustering(features)[part]
    on_map = _sample(dataset.labels[maps.rows])
    spaces = {
        StudyProtocol.B: (dataset.labels[maps.rows[on_map]], [points[on_map] for points in maps.points]),
        StudyProtocol.A: (dataset.labels[rows[part]], [vectors] * len(plan.seeds)),
    }
    results: list[ClusteringResult] = []
    expected = failed_comparison(features.extractor, features.modality, plan, Reason.other(""))
    for planned in expected:
        progress(len(results) / len(expected), f"{features.extractor}, protocol {planned.protocol}: {planned.method}")
        truth, places = spaces[planned.protocol]
        try:
            result = _run_method(planned, places, truth, dataset.n_categories, plan.seeds)
            results.append(replace(result, total=len(rows)))
        except (ValueError, RuntimeError) as error:  # a solver that does not converge, say
            results.append(replace(planned, reason=Reason.other(f"{type(error).__name__}: {error}")))
    return tuple(results)


def failed_comparison(name: str, modality: Modality, plan: StudyPlan, reason: Reason) -> tuple[ClusteringResult, ...]:
    """The results of features that could not be compared, with the reason."""
    return tuple(
        ClusteringResult(name, modality, protocol, method, status=TrialStatus.FAILED, reason=reason)
        for protocol in (StudyProtocol.B, StudyProtocol.A)
        for method in (ClusteringMethod.KMEANS, *plan.clusterings)
    )


def _run_method(
    planned: ClusteringResult,
    spaces: Sequence[NDArray[np.float32]],
    truth: Labels,
    n_categories: int,
    seeds: Sequence[int],
) -> ClusteringResult:
    """The figures of one method; ``spaces`` are what is clustered for each seed.

    In the agreement, noise counts as one more cluster.
    """
    started = time.perf_counter()
    clusterings = _cluster(planned.method, spaces, n_categories, seeds)
    seconds = time.perf_counter() - started
    groups = [np.where(each == algorithms.NOISE, each.max() + 1, each) for each in clusterings]
    return replace(
        planned,
        ari=ari_spread(truth, groups),
        clusters=float(np.mean([len(np.unique(each[each != algorithms.NOISE])) for each in clusterings])),
        noise=_noise_share(clusterings) if planned.method is ClusteringMethod.HDBSCAN else None,
        n=len(truth),
        seconds=round(seconds, 3),
        status=TrialStatus.DONE,
        reason=None,
    )


def _cluster(
    method: ClusteringMethod, spaces: Sequence[NDArray[np.float32]], n_clusters: int, seeds: Sequence[int]
) -> list[Labels]:
    """The clusters of each seed; what does not depend on the seed is computed once where all spaces are the same."""
    same = all(space is spaces[0] for space in spaces)
    if method is ClusteringMethod.HDBSCAN:
        return [algorithms.hdbscan(spaces[0])] if same else [algorithms.hdbscan(space) for space in spaces]
    if method is ClusteringMethod.SPECTRAL:
        embeddings = [algorithms.spectral_embedding(space, n_clusters) for space in (spaces[:1] if same else spaces)]
        spaces = embeddings * len(spaces) if same else embeddings
    return [algorithms.kmeans(space, n_clusters, seed) for space, seed in zip(spaces, seeds, strict=True)]


def _sample(labels: Labels) -> Labels:
    return (
        stratified_sample(labels, MAX_COMPARED_LISTINGS)
        if len(labels) > MAX_COMPARED_LISTINGS
        else np.arange(len(labels))
    )


def _noise_share(clusterings: Sequence[Labels]) -> float:
    return float(np.mean([(each == algorithms.NOISE).mean() for each in clusterings]))
