"""Trials: the features of one extractor, clustered under both protocols and compared with the categories."""

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

MIN_LISTINGS = 10  # with the evidence, below which nothing is clustered
MAP_LIMIT = 10_000  # listings on a t-SNE map: more take hours and show nothing more
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
    """Cluster the listings that have the evidence into as many clusters as categories, once per seed and protocol.

    ``labels``, shape (n,), only score: nothing is chosen by them. Raises InvalidInput for too few listings.
    """
    rows = np.flatnonzero(features.present)
    if len(rows) < MIN_LISTINGS:
        raise InvalidInput(Reason.of(TOO_FEW[features.modality], n=len(rows), needed=MIN_LISTINGS))
    with ResourceUsage() as usage:
        vectors = reduce_for_clustering(features)
    run = _TrialRun(features, n_categories, plan, vectors.shape[1], usage)
    truth = labels[rows]
    under_a = run.cluster(StudyProtocol.A, truth, lambda _seed: vectors, stage(progress, 0, _PROTOCOL_A_SHARE))
    on_map = stratified_sample(truth, MAP_LIMIT) if len(rows) > MAP_LIMIT else np.arange(len(rows))
    mapped = vectors[on_map]
    under_b = run.cluster(
        StudyProtocol.B,
        truth[on_map],
        lambda seed: tsne(mapped, seed, plan.perplexity),
        stage(progress, _PROTOCOL_A_SHARE, 1),
    )
    trials = run.trial(under_a), run.trial(under_b)
    shown = _median_position([each.ari for each in under_b.agreements])
    assigned = assign_categories(under_b.truth, under_b.clusters[shown])
    trial_map = TrialMap(
        seed=plan.seeds[shown],
        rows=tuple(rows[on_map].tolist()),
        points=tuple(map(tuple, np.round(under_b.spaces[shown].astype(float), 3).tolist())),
        clusters=tuple(assigned.tolist()),
    )
    result = TrialResult(trials, trial_map, _confusion_matrix(under_b.truth, assigned, n_categories))
    return ClusteredFeatures(result, TsneMaps(rows[on_map], np.stack(under_b.spaces)))


def reduce_for_clustering(features: Features) -> Vectors:
    """The features of the listings that have them as they are clustered: unit rows of few numbers."""
    matrix = features.matrix[np.flatnonzero(features.present)]
    # The blocks of a combination are reduced already; reduced together, the lighter one would all but vanish.
    fused = features.modality is Modality.FUSED
    return unit_rows(matrix) if fused else reduce_features(matrix)


@dataclass(frozen=True, slots=True)
class _Clusterings:
    """The clusterings of every seed under one protocol: what was clustered, the clusters, how well they agree."""

    protocol: StudyProtocol
    truth: Labels
    spaces: Sequence[NDArray[np.float32]]
    clusters: Sequence[Labels]
    agreements: Sequence[Agreement]
    usage: ResourceUsage


@dataclass(frozen=True, slots=True)
class _TrialRun:
    """Features to cluster, of ``dimensions`` numbers after their reduction, whose cost is ``reduction_usage``."""

    features: Features
    n_categories: int
    plan: StudyPlan
    dimensions: int
    reduction_usage: ResourceUsage

    def cluster(
        self,
        protocol: StudyProtocol,
        truth: Labels,
        space: Callable[[int], NDArray[np.float32]],
        progress: Progress,
    ) -> _Clusterings:
        """Cluster ``space``, what there is to cluster for a seed, for every seed of the plan."""
        seeds = self.plan.seeds
        spaces, clusters = [], []
        with ResourceUsage() as usage:
            for position, seed in enumerate(seeds):
                note = f"{self.features.extractor}, protocol {protocol}: seed {position + 1} of {len(seeds)}"
                progress(position / len(seeds), note)
                spaces.append(space(seed))
                clusters.append(kmeans(spaces[-1], self.n_categories, seed))
            agreements = [
                measure_agreement(truth, each, vectors) for each, vectors in zip(clusters, spaces, strict=True)
            ]
        return _Clusterings(protocol, truth, spaces, clusters, agreements, usage)

    def trial(self, found: _Clusterings) -> Trial:
        """The trial of one protocol as the report has it."""
        silhouettes = [each.silhouette for each in found.agreements if each.silhouette is not None]
        return Trial(
            extractor=self.features.extractor,
            modality=self.features.modality,
            protocol=found.protocol,
            method=ClusteringMethod.KMEANS,
            ari=ari_spread(found.truth, found.clusters),
            ami=float(np.mean([each.ami for each in found.agreements])),
            v_measure=float(np.mean([each.v_measure for each in found.agreements])),
            silhouette=float(np.mean(silhouettes)) if silhouettes else None,
            accuracy=float(np.mean([each.accuracy for each in found.agreements])),
            n=len(found.truth),
            dimensions=self.dimensions,
            seconds=round(self.features.seconds + self.reduction_usage.seconds + found.usage.seconds, 3),
            memory=max(self.features.memory, self.reduction_usage.memory, found.usage.memory),
            reused=self.features.reused,
            status=TrialStatus.DONE,
            reason=None,
        )


def _median_position(values: Sequence[float]) -> int:
    """The position of the median: the seed that is shown is neither the luckiest nor the unluckiest."""
    return int(np.argsort(np.asarray(values), kind="stable")[(len(values) - 1) // 2])


def _confusion_matrix(truth: Labels, assigned: Labels, n_categories: int) -> ConfusionMatrix:
    shape = (n_categories, n_categories)
    matrix = np.bincount(truth * n_categories + assigned, minlength=n_categories**2).reshape(shape)
    totals = matrix.sum(axis=1)
    recall = np.divide(matrix.diagonal(), totals, out=np.zeros(n_categories), where=totals > 0)
    return ConfusionMatrix(tuple(map(tuple, matrix.tolist())), tuple(recall.tolist()))
