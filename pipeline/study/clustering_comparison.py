"""Compare k-means with other clustering methods on the same features, the same maps and the same seeds."""

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
MAX_COMPARED_LISTINGS = 5_000  # of more listings a sample is compared, since the cost grows with their square


def features_to_compare(trials: Iterable[Trial]) -> list[str]:
    """The best extractor or combination of each modality under protocol B.

    These are what the report shows first. Comparing all features would take as long as the study itself.
    """
    return [trial.extractor for trial in best_trials(trials).values()]


def compare_clusterings(
    features: Features, maps: TsneMaps, dataset: StudyDataset, plan: StudyPlan, progress: Progress
) -> tuple[ClusteringResult, ...]:
    """Run k-means and each of the plan's other methods under both protocols; the categories only score them.

    A method that fails loses only its own results.
    """
    rows = np.flatnonzero(features.present)
    feature_sample = _sample(dataset.labels[rows])
    vectors = reduce_for_clustering(features)[feature_sample]
    map_sample = _sample(dataset.labels[maps.rows])
    data_by_protocol = {
        StudyProtocol.B: (
            dataset.labels[maps.rows[map_sample]],
            [map_points[map_sample] for map_points in maps.points],
        ),
        StudyProtocol.A: (dataset.labels[rows[feature_sample]], [vectors] * len(plan.seeds)),
    }
    results: list[ClusteringResult] = []
    pending_results = failed_comparison(features.extractor, features.modality, plan, Reason.other(""))
    for pending in pending_results:
        progress(
            len(results) / len(pending_results), f"{features.extractor}, protocol {pending.protocol}: {pending.method}"
        )
        labels, points_by_seed = data_by_protocol[pending.protocol]
        try:
            result = _run_method(pending, points_by_seed, labels, dataset.n_categories, plan.seeds)
            results.append(replace(result, total=len(rows)))
        except (ValueError, RuntimeError) as error:  # a solver that does not converge, say
            results.append(replace(pending, reason=Reason.other(f"{type(error).__name__}: {error}")))
    return tuple(results)


def failed_comparison(name: str, modality: Modality, plan: StudyPlan, reason: Reason) -> tuple[ClusteringResult, ...]:
    """The results, one per protocol and method, of features that could not be compared, with the reason."""
    return tuple(
        ClusteringResult(name, modality, protocol, method, status=TrialStatus.FAILED, reason=reason)
        for protocol in (StudyProtocol.B, StudyProtocol.A)
        for method in (ClusteringMethod.KMEANS, *plan.clusterings)
    )


def _run_method(
    pending: ClusteringResult,
    points_by_seed: Sequence[NDArray[np.float32]],
    labels: Labels,
    n_categories: int,
    seeds: Sequence[int],
) -> ClusteringResult:
    """The figures of one method; ``points_by_seed`` are the points to cluster for each seed.

    In the agreement, noise counts as one more cluster.
    """
    started = time.perf_counter()
    clusterings = _cluster(pending.method, points_by_seed, n_categories, seeds)
    seconds = time.perf_counter() - started
    labelled_noise = [np.where(clusters == algorithms.NOISE, clusters.max() + 1, clusters) for clusters in clusterings]
    return replace(
        pending,
        ari=ari_spread(labels, labelled_noise),
        clusters=float(np.mean([len(np.unique(clusters[clusters != algorithms.NOISE])) for clusters in clusterings])),
        noise=_noise_share(clusterings) if pending.method is ClusteringMethod.HDBSCAN else None,
        n=len(labels),
        seconds=round(seconds, 3),
        status=TrialStatus.DONE,
        reason=None,
    )


def _cluster(
    method: ClusteringMethod, points_by_seed: Sequence[NDArray[np.float32]], n_clusters: int, seeds: Sequence[int]
) -> list[Labels]:
    """The clusters of each seed; what does not depend on the seed is computed once if all seeds share their points."""
    shared = all(points is points_by_seed[0] for points in points_by_seed)
    if method is ClusteringMethod.HDBSCAN:
        return (
            [algorithms.hdbscan(points_by_seed[0])]
            if shared
            else [algorithms.hdbscan(points) for points in points_by_seed]
        )
    if method is ClusteringMethod.SPECTRAL:
        embeddings = [
            algorithms.spectral_embedding(points, n_clusters)
            for points in (points_by_seed[:1] if shared else points_by_seed)
        ]
        points_by_seed = embeddings * len(points_by_seed) if shared else embeddings
    return [algorithms.kmeans(points, n_clusters, seed) for points, seed in zip(points_by_seed, seeds, strict=True)]


def _sample(labels: Labels) -> Labels:
    return (
        stratified_sample(labels, MAX_COMPARED_LISTINGS)
        if len(labels) > MAX_COMPARED_LISTINGS
        else np.arange(len(labels))
    )


def _noise_share(clusterings: Sequence[Labels]) -> float:
    return float(np.mean([(clusters == algorithms.NOISE).mean() for clusters in clusterings]))
