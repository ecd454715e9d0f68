"""Trials: cluster the features of one extractor under both protocols and compare the clusters with the categories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.clustering.agreement import Agreement, ari_spread, assign_categories, measure_agreement
from pipeline.clustering.algorithms import kmeans
from pipeline.clustering.reduction import reduce_features, tsne, unit_rows
from pipeline.domain.errors import InvalidInput
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, stage
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import ClusteringMethod, StudyPlan, StudyProtocol, TrialStatus
from pipeline.domain.study_report import ConfusionMatrix, Trial, TrialMap
from pipeline.features.extractor import Vectors
from pipeline.study.features import Features
from pipeline.study.resource_usage import ResourceUsage
from pipeline.study.sampling import stratified_sample
from pipeline.study.study_steps import ClusteredFeatures, TrialResult, TsneMaps

MIN_LISTINGS = 10  # listings with features; fewer are not clustered
MAP_LIMIT = 10_000  # maximum number of listings on a t-SNE map: more take hours and show nothing new
_PROTOCOL_A_SHARE = 0.1  # of a trial's time, roughly
Labels = NDArray[np.int64]

TOO_FEW = {
    Modality.TEXT: ReasonCode.TOO_FEW_USABLE_TEXTS,
    Modality.IMAGE: ReasonCode.TOO_FEW_USABLE_PHOTOS,
    Modality.FUSED: ReasonCode.TOO_FEW_USABLE_LISTINGS,
}


def run_trials(
    features: Features, labels: Labels, n_categories: int, plan: StudyPlan, progress: Progress
) -> ClusteredFeatures:
    """Cluster the listings that have features into as many clusters as categories, once per seed and protocol.

    ``labels``, shape (n,), are only used for scoring, never to choose anything. Raises InvalidInput for too few
    listings.
    """
    rows = np.flatnonzero(features.present)
    if len(rows) < MIN_LISTINGS:
        raise InvalidInput(Reason.of(TOO_FEW[features.modality], n=len(rows), needed=MIN_LISTINGS))
    with ResourceUsage() as usage:
        vectors = reduce_for_clustering(features)
    run = _TrialRun(features, n_categories, plan, vectors.shape[1], usage)
    row_labels = labels[rows]
    under_a = run.cluster(StudyProtocol.A, row_labels, lambda _seed: vectors, stage(progress, 0, _PROTOCOL_A_SHARE))
    map_indices = stratified_sample(row_labels, MAP_LIMIT) if len(rows) > MAP_LIMIT else np.arange(len(rows))
    map_vectors = vectors[map_indices]
    under_b = run.cluster(
        StudyProtocol.B,
        row_labels[map_indices],
        lambda seed: tsne(map_vectors, seed, plan.perplexity),
        stage(progress, _PROTOCOL_A_SHARE, 1),
    )
    trials = run.trial(under_a), run.trial(under_b)
    seed_index = _median_index([agreement.ari for agreement in under_b.agreements])
    assigned = assign_categories(under_b.labels, under_b.clusters[seed_index])
    trial_map = TrialMap(
        seed=plan.seeds[seed_index],
        rows=tuple(rows[map_indices].tolist()),
        points=tuple(map(tuple, np.round(under_b.points_by_seed[seed_index].astype(float), 3).tolist())),
        clusters=tuple(assigned.tolist()),
    )
    result = TrialResult(trials, trial_map, _confusion_matrix(under_b.labels, assigned, n_categories))
    return ClusteredFeatures(result, TsneMaps(rows[map_indices], np.stack(under_b.points_by_seed)))


def reduce_for_clustering(features: Features) -> Vectors:
    """The vectors to cluster, of the listings that have features: unit rows of reduced dimensions."""
    matrix = features.matrix[np.flatnonzero(features.present)]
    # The blocks of a combination are reduced already; reduced together, the one of smaller variance would hardly count.
    fused = features.modality is Modality.FUSED
    return unit_rows(matrix) if fused else reduce_features(matrix)


@dataclass(frozen=True, slots=True)
class _Clusterings:
    """The clusterings of all seeds under one protocol: points, clusters, and the agreement with ``labels``."""

    protocol: StudyProtocol
    labels: Labels
    points_by_seed: Sequence[NDArray[np.float32]]
    clusters: Sequence[Labels]
    agreements: Sequence[Agreement]
    usage: ResourceUsage


@dataclass(frozen=True, slots=True)
class _TrialRun:
    """The clustering of one extractor's features, reduced to ``dimensions`` at the cost ``reduction_usage``."""

    features: Features
    n_categories: int
    plan: StudyPlan
    dimensions: int
    reduction_usage: ResourceUsage

    def cluster(
        self,
        protocol: StudyProtocol,
        labels: Labels,
        points_for_seed: Callable[[int], NDArray[np.float32]],
        progress: Progress,
    ) -> _Clusterings:
        """Cluster the points of each seed of the plan."""
        seeds = self.plan.seeds
        points_by_seed, clusters = [], []
        with ResourceUsage() as usage:
            for index, seed in enumerate(seeds):
                note = f"{self.features.extractor}, protocol {protocol}: seed {index + 1} of {len(seeds)}"
                progress(index / len(seeds), note)
                points_by_seed.append(points_for_seed(seed))
                clusters.append(kmeans(points_by_seed[-1], self.n_categories, seed))
            agreements = [
                measure_agreement(labels, assigned, points)
                for assigned, points in zip(clusters, points_by_seed, strict=True)
            ]
        return _Clusterings(protocol, labels, points_by_seed, clusters, agreements, usage)

    def trial(self, clusterings: _Clusterings) -> Trial:
        """The trial of one protocol for the report: means over the seeds."""
        agreements = clusterings.agreements
        silhouettes = [agreement.silhouette for agreement in agreements if agreement.silhouette is not None]
        return Trial(
            extractor=self.features.extractor,
            modality=self.features.modality,
            protocol=clusterings.protocol,
            method=ClusteringMethod.KMEANS,
            ari=ari_spread(clusterings.labels, clusterings.clusters),
            ami=float(np.mean([agreement.ami for agreement in agreements])),
            v_measure=float(np.mean([agreement.v_measure for agreement in agreements])),
            silhouette=float(np.mean(silhouettes)) if silhouettes else None,
            accuracy=float(np.mean([agreement.accuracy for agreement in agreements])),
            n=len(clusterings.labels),
            dimensions=self.dimensions,
            seconds=round(self.features.seconds + self.reduction_usage.seconds + clusterings.usage.seconds, 3),
            memory=max(self.features.memory, self.reduction_usage.memory, clusterings.usage.memory),
            reused=self.features.reused,
            status=TrialStatus.DONE,
            reason=None,
        )


def _median_index(values: Sequence[float]) -> int:
    """The index of the (lower) median, so that the map shown is that of neither the best nor the worst seed."""
    return int(np.argsort(np.asarray(values), kind="stable")[(len(values) - 1) // 2])


def _confusion_matrix(labels: Labels, assigned: Labels, n_categories: int) -> ConfusionMatrix:
    shape = (n_categories, n_categories)
    matrix = np.bincount(labels * n_categories + assigned, minlength=n_categories**2).reshape(shape)
    totals = matrix.sum(axis=1)
    recall = np.divide(matrix.diagonal(), totals, out=np.zeros(n_categories), where=totals > 0)
    return ConfusionMatrix(tuple(map(tuple, matrix.tolist())), tuple(recall.tolist()))
