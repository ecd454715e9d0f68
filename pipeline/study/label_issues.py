"""Listings whose category is probably wrong, by confident learning, with their nearest neighbours as evidence.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (JAIR 2021): a listing
counts as belonging to a category when its held-out probability for it reaches the mean over the listings with that
label; a listing that counts as belonging to a category other than its own is probably mislabelled.
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
    """``order`` ranks all judged listings, most suspicious first: ascending probability of their own category.

    ``wrong``, (n,), marks the probably mislabelled listings; ``proposed``, (n,), is the most plausible other category.
    ``joint``, shape (categories, categories), estimates how many listings of each given category (rows) belong to each
    category (columns).
    """

    order: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    proposed: NDArray[np.int64]
    joint: NDArray[np.float64]


def suspect_labels(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> LabelSuspicion:
    """Rank listings by held-out ``probabilities``, (n, categories), and given ``labels``; rows of zeros are left out.

    Probably mislabelled are the listings that count as belonging to another category, and, among as many of the most
    suspicious listings as ``joint`` estimates to be errors, those for which another category is more probable (pruning
    by noise rate).
    """
    count, n_categories = probabilities.shape
    judged = probabilities.sum(axis=1) > 0
    given_probabilities = probabilities[np.arange(count), labels].astype(np.float64)
    category_sizes = np.bincount(labels[judged], minlength=n_categories)
    # No probability reaches the threshold of a category without judged listings.
    mean_by_category = np.bincount(labels[judged], given_probabilities[judged], n_categories) / np.maximum(
        category_sizes, 1
    )
    thresholds = np.where(category_sizes > 0, mean_by_category, 2.0)
    above_threshold = np.where(probabilities >= thresholds, probabilities, -1.0)
    confident_label = np.where(judged & (above_threshold.max(axis=1) >= 0), above_threshold.argmax(axis=1), -1)
    is_confident = confident_label >= 0
    counts = np.zeros((n_categories, n_categories))
    np.add.at(counts, (labels[is_confident], confident_label[is_confident]), 1.0)
    row_totals = counts.sum(axis=1, keepdims=True)
    joint = np.where(
        row_totals > 0, counts / np.maximum(row_totals, 1) * category_sizes[:, None], np.diag(category_sizes)
    )
    other_probabilities = probabilities.astype(np.float64)
    other_probabilities[np.arange(count), labels] = -1.0
    confident_elsewhere = is_confident & (confident_label != labels)
    judged_rows = np.flatnonzero(judged)
    order = judged_rows[np.argsort(given_probabilities[judged_rows], kind="stable")]
    suspects = order[: round(float(joint.sum() - np.trace(joint)))]
    wrong = confident_elsewhere.copy()
    wrong[suspects] |= other_probabilities[suspects].max(axis=1) > given_probabilities[suspects]
    return LabelSuspicion(
        order, wrong, np.where(confident_elsewhere, confident_label, other_probabilities.argmax(axis=1)), joint
    )


def find_label_issues(
    supervised: Iterable[SupervisedResult],
    dataset: StudyDataset,
    features: Mapping[str, Features],
    progress: Progress,
    limit: int = MAX_ISSUES,
) -> tuple[LabelIssue, ...]:
    """At most ``limit`` listings that are probably mislabelled, most suspicious first.

    They are judged by the most accurate supervised job on text and photo, else on text, else on photos. The neighbours
    come from ``features``, which were computed without labels.
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
        nearest = tuple(
            Neighbour(neighbour, categories[labels[neighbour]], cosine) for neighbour, cosine in neighbours[row].items()
        )
        return LabelIssue(
            row=row,
            given=categories[given],
            proposed=categories[proposed],
            confidence=float(probabilities[row, proposed]),
            given_confidence=float(probabilities[row, given]),
            score=float(1.0 - probabilities[row, given]),
            neighbours=nearest,
            attribution=_joined_attributions(dataset, [row, *neighbours[row]]),
        )

    return tuple(map(issue, rows))


def find_neighbours(
    rows: Sequence[int], features: Sequence[Features], count: int = NEIGHBOURS
) -> dict[int, dict[int, float]]:
    """The nearest listings of each row with their cosine similarity, nearest first.

    The similarity is the mean over the modalities that both listings have.
    """
    # The last extractor of each modality.
    used_features = list({extractor_features.modality: extractor_features for extractor_features in features}.values())
    neighbours: dict[int, dict[int, float]] = {row: {} for row in rows}
    if not used_features:
        return neighbours
    for start in range(0, len(rows), _CHUNK):
        chunk = np.array(rows[start : start + _CHUNK], np.int64)
        total = np.zeros((len(chunk), len(used_features[0].present)))
        shared = np.zeros(total.shape)
        for extractor_features in used_features:
            both = extractor_features.present[chunk][:, None] & extractor_features.present[None, :]
            total += np.where(both, _cosines(extractor_features, chunk), 0.0)
            shared += both
        mean = np.where(shared > 0, total / np.maximum(shared, 1), -1.0)
        mean[np.arange(len(chunk)), chunk] = -1.0
        for row, cosines in zip(chunk, mean, strict=True):
            nearest = np.argsort(-cosines, kind="stable")[:count]
            neighbours[int(row)] = {int(index): float(cosines[index]) for index in nearest if cosines[index] > 0}
    return neighbours


def _cosines(features: Features, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The cosine similarity of some listings to all listings: shape (rows, n)."""
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
    """The distinct attributions of some listings, joined; None if there are none."""
    attributions = [dataset.attributions[row] for row in rows] if dataset.attributions else []
    return " ".join(dict.fromkeys(filter(None, attributions))) or None


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
