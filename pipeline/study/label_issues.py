"""Listings whose seller category is probably wrong, by confident learning, with their nearest neighbours as evidence.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (JAIR 2021): a listing
counts as one of a category when its held-out probability reaches the mean of those that stand there; whoever counts as
one of another category than its own is probably on the wrong shelf.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from pipeline.domain.prediction import Modality
from pipeline.study.features import Features
from pipeline.study.study_steps import SupervisedResult

LIMIT = 200
NEIGHBOURS = 5
_CHUNK = 64
_PREFERENCE = (Modality.FUSED, Modality.TEXT, Modality.IMAGE)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """``order`` ranks every listing judged, most suspicious first: by how little its own category is believed.

    ``wrong`` (n,) tells which are probably wrong, ``proposed`` (n,) where each would rather stand. ``joint``, shape
    (categories, categories), estimates how many listings of each given category (rows) belong to each (columns).
    """

    order: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    proposed: NDArray[np.int64]
    joint: NDArray[np.float64]


def suspect(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> Suspicion:
    """Rank listings by held-out ``probabilities``, (n, categories), and given ``labels``; rows of zeros are left out.

    Probably wrong are those that count as one of another category, and, to the number that ``joint`` finds out of
    place, the least believed ones to which another category is nearer (pruning by noise rate).
    """
    count, kinds = probabilities.shape
    judged = probabilities.sum(axis=1) > 0
    given = probabilities[np.arange(count), labels].astype(np.float64)
    # A category in which no listing was judged sets no threshold that anybody could reach.
    sizes = np.bincount(labels[judged], minlength=kinds)
    thresholds = np.where(sizes > 0, np.bincount(labels[judged], given[judged], kinds) / np.maximum(sizes, 1), 2.0)
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    counted_as = np.where(judged & (confident.max(axis=1) >= 0), confident.argmax(axis=1), -1)
    certain = counted_as >= 0
    counts = np.zeros((kinds, kinds))
    np.add.at(counts, (labels[certain], counted_as[certain]), 1.0)
    rows = counts.sum(axis=1, keepdims=True)
    joint = np.where(rows > 0, counts / np.maximum(rows, 1) * sizes[:, None], np.diag(sizes))
    others = probabilities.astype(np.float64)
    others[np.arange(count), labels] = -1.0
    elsewhere = certain & (counted_as != labels)
    ranked = np.flatnonzero(judged)
    order = ranked[np.argsort(given[ranked], kind="stable")]
    misplaced = order[: round(float(joint.sum() - np.trace(joint)))]
    wrong = elsewhere.copy()
    wrong[misplaced] |= others[misplaced].max(axis=1) > given[misplaced]
    return Suspicion(order, wrong, np.where(elsewhere, counted_as, others.argmax(axis=1)), joint)


def find(
    judged: Mapping[str, SupervisedResult],
    labels: NDArray[np.int64],
    categories: Sequence[str],
    features: Mapping[str, Features],
    progress: Callable[[float, str], None],
    limit: int = LIMIT,
) -> list[dict[str, Any]]:
    """Rows of the report's ``wrong_shelves``: at most ``limit`` listings that are probably wrong, worst first.

    They are judged by the most accurate supervised job of both modalities, else of text, else of photos; ``score``,
    between 0 and 1, is the greater the more suspicious. Neighbours come from ``features``, which never saw a label.
    """
    best = _best(judged)
    if best is None:
        return []
    found = suspect(best, labels)
    chosen = [int(row) for row in found.order if found.wrong[row]][:limit]
    progress(0.2, f"comparing {len(chosen)} listings with their neighbours")
    near = neighbours(chosen, list(features.values()))
    return [
        {
            "row": row,
            "given": categories[labels[row]],
            "proposed": categories[found.proposed[row]],
            "confidence": float(best[row, found.proposed[row]]),
            "given_confidence": float(best[row, labels[row]]),
            "score": float(1.0 - best[row, labels[row]]),
            "neighbours": [
                {"row": other, "category": categories[labels[other]], "similarity": similarity}
                for other, similarity in near[row]
            ],
        }
        for row in chosen
    ]


def neighbours(
    rows: Sequence[int], features: Sequence[Features], count: int = NEIGHBOURS
) -> dict[int, list[tuple[int, float]]]:
    """The nearest listings of each row and their cosine, a mean over the modalities that both listings have."""
    chosen = _one_a_modality(features)
    found: dict[int, list[tuple[int, float]]] = {row: [] for row in rows}
    if not chosen:
        return found
    for start in range(0, len(rows), _CHUNK):
        mine = np.array(rows[start : start + _CHUNK], np.int64)
        total = np.zeros((len(mine), len(chosen[0].has)))
        shared = np.zeros(total.shape)
        for each in chosen:
            both = each.has[mine][:, None] & each.has[None, :]
            total += np.where(both, _cosines(each, mine), 0.0)
            shared += both
        mean = np.where(shared > 0, total / np.maximum(shared, 1), -1.0)
        mean[np.arange(len(mine)), mine] = -1.0
        for row, similarities in zip(mine, mean, strict=True):
            nearest = np.argsort(-similarities, kind="stable")[:count]
            found[int(row)] = [(int(at), float(similarities[at])) for at in nearest if similarities[at] > 0]
    return found


def _cosines(features: Features, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    matrix = features.matrix
    if issparse(matrix):
        lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        products = np.asarray((matrix[rows] @ matrix.T).toarray(), np.float64)
    else:
        lengths = np.linalg.norm(matrix, axis=1)
        products = np.asarray(matrix[rows] @ matrix.T, np.float64)
    lengths = np.maximum(lengths, 1e-9)
    scaled: NDArray[np.float64] = products / lengths[rows][:, None] / lengths[None, :]
    return scaled


def _one_a_modality(features: Sequence[Features]) -> list[Features]:
    """The last of each in the order of the table: the plain yardsticks come first there."""
    last = {each.modality: each for each in features}
    return list(last.values())


def _best(judged: Mapping[str, SupervisedResult]) -> NDArray[np.float32] | None:
    for modality in _PREFERENCE:
        having = [
            (float(row["accuracy"]["mean"]), found.probabilities)
            for found in judged.values()
            for row in found.rows
            if row["modality"] == modality and row["accuracy"] and found.probabilities is not None
        ]
        if having:
            return max(having, key=lambda pair: pair[0])[1]
    return None
