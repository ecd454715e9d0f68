"""Further ways to cluster beside k-means: the same features, the same planes, the same seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.clustering import agreement, density, kmeans, spectral
from pipeline.domain.prediction import Modality
from pipeline.domain.study import Clustering, Protocol, Spread, StudyPlan, TrialStatus
from pipeline.study.features import Features
from pipeline.study.sampling import stratified
from pipeline.study.trials import ready

Progress = Callable[[float, str], None]
Row = dict[str, Any]
Labels = NDArray[np.int64]
LIMIT = 5_000  # listings: what these cost grows with their square, so that of more a sample is compared


def chosen(trials: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """The extractor or pair of each modality whose k-means agrees best under protocol B; ``trials`` as they are kept.

    They are what the page shows first. Other features are not compared: it would take as long as the study itself.
    """
    rows = [row for kept in trials.values() if kept for row in kept["rows"]]
    done = [row for row in rows if row["protocol"] == Protocol.B and row["status"] == TrialStatus.DONE]
    mine = {modality: [row for row in done if row["modality"] == modality] for modality in Modality}
    return [max(each, key=lambda row: float(row["ari"]["mean"]))["extractor"] for each in mine.values() if each]


def compare(
    features: Features,
    planes: tuple[NDArray[np.int64], NDArray[np.float32]],
    labels: Labels,
    kinds: int,
    plan: StudyPlan,
    progress: Progress,
) -> list[Row]:
    """Rows of the report's ``clusterings``: k-means and each of the plan's further ways under both protocols.

    ``planes`` are those of the trial: the listings on them, shape (m,), and a plane a seed, shape (seeds, m, 2).
    ``labels`` has shape (n,) and only scores. A way that fails costs its own rows.
    """
    inside = np.flatnonzero(features.has)
    part = _part(labels[inside])
    vectors = ready(features)[part]
    laid, points = planes
    shown = _part(labels[laid])
    seen = {
        Protocol.B: (labels[laid[shown]], [plane[shown] for plane in points]),
        Protocol.A: (labels[inside[part]], [vectors] * len(plan.seeds)),
    }
    methods = (Clustering.KMEANS, *plan.clusterings)
    rows: list[Row] = []
    for protocol, (truth, places) in seen.items():
        for method in methods:
            progress(len(rows) / (2 * len(methods)), f"{features.extractor}, protocol {protocol}: {method}")
            row = empty(features.extractor, features.modality, protocol, method)
            try:
                rows.append(row | {"of": len(inside)} | _figures(method, places, truth, kinds, plan.seeds))
            except (ValueError, RuntimeError) as error:  # a solver that does not come to an end, say
                rows.append(row | {"status": TrialStatus.FAILED.value, "reason": f"{type(error).__name__}: {error}"})
    return rows


def empty(name: str, modality: Modality, protocol: Protocol, method: Clustering) -> Row:
    """A row without figures."""
    figures = dict.fromkeys(("ari", "clusters", "noise", "n", "of", "seconds"))
    return {"extractor": name, "modality": modality.value, "protocol": protocol.value, "method": method.value} | figures


def failed(name: str, modality: Modality, plan: StudyPlan, reason: str) -> list[Row]:
    """The rows of features on which nothing could be compared, with the reason."""
    return [
        empty(name, modality, protocol, method) | {"status": TrialStatus.FAILED.value, "reason": reason}
        for protocol in (Protocol.B, Protocol.A)
        for method in (Clustering.KMEANS, *plan.clusterings)
    ]


def _figures(
    method: Clustering, places: Sequence[NDArray[np.float32]], truth: Labels, kinds: int, seeds: Sequence[int]
) -> Row:
    """``places`` are what is clustered for each seed; noise counts as one more cluster in the agreement."""
    begun = time.perf_counter()
    found = _clustered(method, places, kinds, seeds)
    spent = time.perf_counter() - begun
    groups = [np.where(each == density.NOISE, each.max() + 1, each) for each in found]
    low, high = agreement.interval(truth, groups)
    agreed = [float(agreement.adjusted_rand(agreement.contingency(truth, each))) for each in groups]
    return {
        "ari": asdict(Spread.of(agreed, low, high)),
        "clusters": float(np.mean([len(np.unique(each[each != density.NOISE])) for each in found])),
        "noise": _noise(found) if method is Clustering.HDBSCAN else None,
        "n": len(truth),
        "seconds": round(spent, 3),
        "status": TrialStatus.DONE.value,
        "reason": None,
    }


def _clustered(
    method: Clustering, places: Sequence[NDArray[np.float32]], kinds: int, seeds: Sequence[int]
) -> list[Labels]:
    """The clusters of each seed; what no seed has a part in is computed once for places that are the same."""
    same = all(place is places[0] for place in places)
    if method is Clustering.HDBSCAN:
        return [density.clusters(places[0])] if same else [density.clusters(place) for place in places]
    if method is Clustering.SPECTRAL:
        once = spectral.embedded(places[0], kinds) if same else None
        places = [spectral.embedded(place, kinds) if once is None else once for place in places]
    return [kmeans.clusters(place, kinds, seed) for place, seed in zip(places, seeds, strict=True)]


def _part(truth: Labels) -> Labels:
    return stratified(truth, LIMIT) if len(truth) > LIMIT else np.arange(len(truth))


def _noise(found: Sequence[Labels]) -> float:
    return float(np.mean([(each == density.NOISE).mean() for each in found]))
