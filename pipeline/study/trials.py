"""Trials: the features of one extractor, clustered under both protocols and compared with the categories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.clustering import agreement, reduction
from pipeline.clustering.agreement import Agreement
from pipeline.clustering.kmeans import clusters
from pipeline.domain.errors import InvalidInput
from pipeline.domain.prediction import Modality
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.study import Protocol, Spread, StudyPlan, TrialStatus
from pipeline.features.extractor import Vectors
from pipeline.study.features import Features
from pipeline.study.resource_usage import Cost
from pipeline.study.sampling import stratified

Progress = Callable[[float, str], None]
Row = dict[str, Any]
LEAST = 10  # listings with the evidence, below which nothing is clustered

TOO_FEW = {
    Modality.TEXT: ReasonCode.TOO_FEW_USABLE_TEXTS,
    Modality.IMAGE: ReasonCode.TOO_FEW_USABLE_PHOTOS,
    Modality.FUSED: ReasonCode.TOO_FEW_USABLE_LISTINGS,
}


@dataclass(frozen=True, slots=True)
class TrialResult:
    """``rows`` of protocols A and B, the ``picture`` of B (a plane and its clusters), and the ``matrix`` of the same.

    They are the report's ``trials``, ``pictures`` and ``matrices``. ``planes``, shape (seeds, m, 2), are those of every
    seed, of the picture's listings.
    """

    rows: tuple[Row, ...]
    picture: Row
    matrix: Row
    planes: NDArray[np.float32]


def ready(features: Features) -> Vectors:
    """The features of the listings that have them as they are clustered: unit rows of few numbers."""
    matrix = features.matrix[np.flatnonzero(features.has)]
    # The blocks of a combination are reduced already; reduced together, the lighter one would all but vanish.
    fused = features.modality is Modality.FUSED
    return reduction.unit_rows(matrix) if fused else reduction.reduced(matrix)


def run(features: Features, labels: NDArray[np.int64], kinds: int, plan: StudyPlan, progress: Progress) -> TrialResult:
    """Cluster the listings that have the evidence into ``kinds`` clusters, once a seed and protocol.

    ``labels`` has shape (n,) and only scores: nothing is chosen by it. Raises InvalidInput for too few listings.
    """
    inside = np.flatnonzero(features.has)
    if len(inside) < LEAST:
        raise InvalidInput(Reason.of(TOO_FEW[features.modality], n=len(inside), needed=LEAST))
    truth = labels[inside]
    with Cost() as preparing:
        vectors = ready(features)
    base = {"n": len(inside), "dimensions": vectors.shape[1], "reused": features.reused}
    seconds, memory = features.seconds + preparing.seconds, max(features.memory, preparing.memory)

    def share(protocol: int, at: int) -> None:
        told = f"{features.extractor}, protocol {'AB'[protocol]}: seed {at + 1} of {len(plan.seeds)}"
        progress((protocol * 0.1) + (0.1 if protocol == 0 else 0.9) * at / len(plan.seeds), told)

    with Cost() as cost_a:
        found_a = []
        for at, seed in enumerate(plan.seeds):
            share(0, at)
            found_a.append(clusters(vectors, kinds, seed))
        agreed_a = [agreement.agree(truth, each, vectors) for each in found_a]
    # A plane of very many listings takes hours and shows nothing more: an even part is laid out.
    part = stratified(truth, reduction.PLANE_LIMIT) if len(inside) > reduction.PLANE_LIMIT else np.arange(len(inside))
    with Cost() as cost_b:
        planes, found_b, agreed_b = [], [], []
        for at, seed in enumerate(plan.seeds):
            share(1, at)
            planes.append(reduction.plane(vectors[part], seed, plan.perplexity))
            found_b.append(clusters(planes[-1], kinds, seed))
            agreed_b.append(agreement.agree(truth[part], found_b[-1], planes[-1]))
    rows = (
        _row(
            features, Protocol.A, base, truth, found_a, agreed_a, seconds + cost_a.seconds, max(memory, cost_a.memory)
        ),
        _row(
            features,
            Protocol.B,
            base | {"n": len(part)},
            truth[part],
            found_b,
            agreed_b,
            seconds + cost_b.seconds,
            max(memory, cost_b.memory),
        ),
    )
    shown = _typical([each.ari for each in agreed_b])
    given = agreement.assigned(truth[part], found_b[shown])
    picture = {
        "seed": plan.seeds[shown],
        "rows": inside[part].tolist(),
        "points": np.round(planes[shown].astype(float), 3).tolist(),
        "clusters": given.tolist(),
    }
    return TrialResult(rows, picture, _matrix(truth[part], given, kinds), np.stack(planes))


def unavailable(name: str, modality: Modality, status: TrialStatus, reason: str) -> tuple[Row, ...]:
    """The rows of an extractor that could not be tried, with the reason."""
    empty = dict.fromkeys(("ari", "ami", "v_measure", "silhouette", "accuracy", "n", "dimensions", "seconds", "memory"))
    return tuple(
        {"extractor": name, "modality": modality.value, "protocol": protocol.value, "method": "kmeans"}
        | empty
        | {"reused": 0, "status": status.value, "reason": reason}
        for protocol in Protocol
    )


def _row(
    features: Features,
    protocol: Protocol,
    base: Row,
    truth: NDArray[np.int64],
    found: Sequence[NDArray[np.int64]],
    agreed: Sequence[Agreement],
    seconds: float,
    memory: int,
) -> Row:
    low, high = agreement.interval(truth, found)
    silhouettes = [each.silhouette for each in agreed if each.silhouette is not None]
    return {
        "extractor": features.extractor,
        "modality": features.modality.value,
        "protocol": protocol.value,
        "method": "kmeans",
        "ari": asdict(Spread.of([each.ari for each in agreed], low, high)),
        "ami": float(np.mean([each.ami for each in agreed])),
        "v_measure": float(np.mean([each.v_measure for each in agreed])),
        "silhouette": float(np.mean(silhouettes)) if silhouettes else None,
        "accuracy": float(np.mean([each.accuracy for each in agreed])),
        "seconds": round(seconds, 3),
        "memory": memory,
        "status": TrialStatus.DONE.value,
        "reason": None,
        **base,
    }


def _typical(values: Sequence[float]) -> int:
    """The position of the median: the run that is shown is neither the luckiest nor the unluckiest."""
    return int(np.argsort(np.asarray(values), kind="stable")[(len(values) - 1) // 2])


def _matrix(truth: NDArray[np.int64], given: NDArray[np.int64], kinds: int) -> Row:
    table = np.bincount(truth * kinds + given, minlength=kinds * kinds).reshape(kinds, kinds)
    totals = table.sum(axis=1)
    recall = np.divide(table.diagonal(), totals, out=np.zeros(kinds), where=totals > 0)
    return {"matrix": table.tolist(), "recall": recall.tolist()}
