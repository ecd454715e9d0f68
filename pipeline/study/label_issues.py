"""Listings whose category is probably wrong, by confident learning, with their nearest neighbours as evidence.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (JAIR 2021): a listing
counts as one of a category when its held-out probability reaches the mean over the listings with that label; a listing
that counts as one of another category than its own is probably mislabelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress
from pipeline.domain.study_report import LabelIssue, Neighbour
from pipeline.study.dataset import StudyDataset
from pipeline.study.features import Features
from pipeline.study.study_steps import SupervisedResult

MAX_ISSUES = 200
NEIGHBOURS = 5
_CHUNK = 64
_PREFERRED = (Modality.FUSED, Modality.TEXT, Modality.IMAGE)


@dataclass(frozen=True, slots=True)
class LabelSuspicion:
    """``order`` ranks every scored listing, most suspicious first: by the probability of its own category.

    ``wrong``, (n,), marks the probably mislabelled, ``proposed``, (n,), is the category each would rather have.
    ``joint``, shape (categories, categories), estimates how many listings of each given category (rows) belong to each
    (columns).
    """

    order: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    proposed: NDArray[np.int64]
    joint: NDArray[np.float64]


def suspect_labels(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> LabelSuspicion:
    """Rank listings by held-out ``probabilities``, (n, categories), and given ``labels``; rows of zeros are left out.

    Probably wrong are the listings that count as one of another category, and, up to the number of errors that
    ``joint`` estimates, those with the lowest probability of their own category for which another is more probable
    (pruning by noise rate).
    """
    count, n_categories = probabilities.shape
    judged = probabilities.sum(axis=1) > 0
    given = probabilities[np.arange(count), labels].astype(np.float64)
    sizes = np.bincount(labels[judged], minlength=n_categories)
    # The threshold of a category without judged listings is out of reach.
    means = np.bincount(labels[judged], given[judged], n_categories) / np.maximum(sizes, 1)
    thresholds = np.where(sizes > 0, means, 2.0)
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    counted_as = np.where(judged & (confident.max(axis=1) >= 0), confident.argmax(axis=1), -1)
    certain = counted_as >= 0
    counts = np.zeros((n_categories, n_categories))
    np.add.at(counts, (labels[certain], counted_as[certain]), 1.0)
    totals = counts.sum(axis=1, keepdims=True)
    joint = np.where(totals > 0, counts / np.maximum(totals, 1) * sizes[:, None], np.diag(sizes))
    others = probabilities.astype(np.float64)
    others[np.arange(count), labels] = -1.0
    counted_elsewhere = certain & (counted_as != labels)
    ranked = np.flatnonzero(judged)
    order = ranked[np.argsort(given[ranked], kind="stable")]
    estimated_errors = order[: round(float(joint.sum() - np.trace(joint)))]
    wrong = counted_elsewhere.copy()
    wrong[estimated_errors] |= others[estimated_errors].max(axis=1) > given[estimated_errors]
    return LabelSuspicion(order, wrong, np.where(counted_elsewhere, counted_as, others.argmax(axis=1)), joint)


def find_label_issues(
    supervised: Iterable[SupervisedResult],
    dataset: StudyDataset,
    features: Mapping[str, Features],
    progress: Progress,
    limit: int = MAX_ISSUES,
) -> tuple[LabelIssue, ...]:
    """At most ``limit`` listings that are probably mislabelled, worst first.

    They are judged by the most accurate supervised job of text and photo, else of text, else of photos. ``features``,
    from which the neighbours come, never saw a label.
    """
    probabilities = _best_probabilities(supervised)
    if probabilities is None:
        return ()
    labels, categories = dataset.labels, dataset.categories
    suspicion = suspect_labels(probabilities, labels)
    rows = [int(row) for row in suspicion.order if suspicion.wrong[row]][:limit]
    progress(0.2, f"comparing {len(rows)} listings with their neighbours")
    neighbours = find_neighbours(rows, list(features.values()))

    def issue(row: int) -> LabelIssue:
        given, proposed = int(labels[row]), int(suspicion.proposed[row])
        near = tuple(Neighbour(each, categories[labels[each]], cosine) for each, cosine in neighbours[row].items())
        return LabelIssue(
            row=row,
            given=categories[given],
            proposed=categories[proposed],
            confidence=float(probabilities[row, proposed]),
            given_confidence=float(probabilities[row, given]),
            score=float(1.0 - probabilities[row, given]),
            neighbours=near,
            attribution=_joined_attributions(dataset, [row, *neighbours[row]]),
        )

    return tuple(map(issue, rows))


def find_neighbours(
    rows: Sequence[int], features: Sequence[Features], count: int = NEIGHBOURS
) -> dict[int, dict[int, float]]:
    """The nearest listings of each row with their cosine, nearest first.

    The cosine is a mean over the modalities that both listings have.
    """
    used = list({each.modality: each for each in features}.values())  # the last extractor of each modality
    found: dict[int, dict[int, float]] = {row: {} for row in rows}
    if not used:
        return found
    for start in range(0, len(rows), _CHUNK):
        chunk = np.array(rows[start : start + _CHUNK], np.int64)
        total = np.zeros((len(chunk), len(used[0].present)))
        shared = np.zeros(total.shape)
        for each in used:
            both = each.present[chunk][:, None] & each.present[None, :]
            total += np.where(both, _cosines(each, chunk), 0.0)
            shared += both
        mean = np.where(shared > 0, total / np.maximum(shared, 1), -1.0)
        mean[np.arange(len(chunk)), chunk] = -1.0
        for row, cosines in zip(chunk, mean, strict=True):
            nearest = np.argsort(-cosines, kind="stable")[:count]
            found[int(row)] = {int(each): float(cosines[each]) for each in nearest if cosines[each] > 0}
    return found


def _cosines(features: Features, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The cosine of some listings with all: shape (rows, n)."""
    matrix = features.matrix
    if issparse(matrix):
        lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        products = np.asarray((matrix[rows] @ matrix.T).toarray(), np.float64)
    else:
        lengths = np.linalg.norm(matrix, axis=1)
        products = np.asarray(matrix[rows] @ matrix.T, np.float64)
    lengths = np.maximum(lengths, 1e-9)
    cosines: NDArray[np.float64] = products / lengths[rows][:, None] / lengths[None, :]
    return cosines


def _joined_attributions(dataset: StudyDataset, rows: Sequence[int]) -> str | None:
    """The attributions of some listings, each once; None where there are none."""
    known = [dataset.attributions[row] for row in rows] if dataset.attributions else []
    return " ".join(dict.fromkeys(filter(None, known))) or None


def _best_probabilities(supervised: Iterable[SupervisedResult]) -> NDArray[np.float32] | None:
    """The held-out probabilities of the most accurate job of the preferred modality."""
    results = list(supervised)
    for modality in _PREFERRED:
        candidates = [
            (figures.accuracy.mean, result.probabilities)
            for result in results
            for figures in result.figures
            if figures.modality is modality and figures.accuracy and result.probabilities is not None
        ]
        if candidates:
            return max(candidates, key=lambda pair: pair[0])[1]
    return None
