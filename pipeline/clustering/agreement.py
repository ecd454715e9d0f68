"""How well clusters agree with categories.

Adjusted Rand index: Hubert and Arabie 1985. Adjusted mutual information: Vinh, Epps, Bailey 2010. V-measure: Rosenberg
and Hirschberg 2007. Silhouette: Rousseeuw 1987. Optimal assignment: Kuhn 1955.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
RESAMPLES = 200
SILHOUETTE_SAMPLE = 2_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one clustering agrees to; ``accuracy`` is that of the clusters after optimal assignment to categories."""

    ari: float
    ami: float
    v_measure: float
    silhouette: float | None
    accuracy: float


def agree(labels: Labels, clusters: Labels, vectors: NDArray[np.float32], seed: int = 0) -> Agreement:
    """All measures of one clustering; ``labels`` and ``clusters`` have shape (n,), ``vectors`` is what was clustered.

    The silhouette is that of the clusters on at most 2,000 listings, None where there is one cluster only.
    """
    from sklearn.metrics import adjusted_mutual_info_score, silhouette_score, v_measure_score

    kinds = len(np.unique(clusters))
    silhouette = None
    if 1 < kinds < min(len(clusters), SILHOUETTE_SAMPLE):
        drawn = None if len(clusters) <= SILHOUETTE_SAMPLE else SILHOUETTE_SAMPLE
        try:
            silhouette = float(silhouette_score(vectors, clusters, sample_size=drawn, random_state=seed))
        except ValueError:  # the sample happened to hold one cluster only
            silhouette = None
    table = contingency(labels, clusters)
    return Agreement(
        ari=float(adjusted_rand(table)),
        ami=float(adjusted_mutual_info_score(labels, clusters)),
        v_measure=float(v_measure_score(labels, clusters)),
        silhouette=silhouette,
        accuracy=float((assigned(labels, clusters) == labels).mean()),
    )


def contingency(labels: Labels, clusters: Labels) -> NDArray[np.int64]:
    """How many listings of each category lie in each cluster: shape (categories, clusters)."""
    width = int(clusters.max(initial=0)) + 1
    height = int(labels.max(initial=0)) + 1
    return np.bincount(labels * width + clusters, minlength=height * width).reshape(height, width).astype(np.int64)


def adjusted_rand(tables: NDArray[np.int64], selves: float = 0.0) -> NDArray[np.float64]:
    """The adjusted Rand index of one contingency table or a stack: shape (..., categories, clusters) to (...).

    ``selves`` pairs are left out: those of a listing with itself, where a bootstrap has drawn it more than once.
    """
    cells = tables.astype(np.float64)
    total = _pairs(cells.sum(axis=(-2, -1))) - selves
    together = _pairs(cells).sum(axis=(-2, -1)) - selves
    by_label = _pairs(cells.sum(axis=-1)).sum(axis=-1) - selves
    by_cluster = _pairs(cells.sum(axis=-2)).sum(axis=-1) - selves
    expected = by_label * by_cluster / np.maximum(total, 1.0)
    most = (by_label + by_cluster) / 2
    # Both in one piece, or both in single listings: they agree entirely.
    same = np.isclose(most, expected)
    return np.asarray(np.where(same, 1.0, (together - expected) / np.where(same, 1.0, most - expected)))


def _pairs(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return counts * (counts - 1.0) / 2.0


def assigned(labels: Labels, clusters: Labels) -> Labels:
    """The category given to each listing by the best one-to-one assignment of clusters to categories: shape (n,).

    A cluster left over, where there are more of them than categories, gets its most frequent category.
    """
    from scipy.optimize import linear_sum_assignment

    table = contingency(labels, clusters)
    category_of = table.argmax(axis=0)
    categories, chosen = linear_sum_assignment(table, maximize=True)
    category_of[chosen] = categories
    return np.asarray(category_of[clusters], np.int64)


def interval(
    labels: Labels, clusterings: Sequence[Labels], seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """95 % bootstrap interval (percentiles, Efron 1979) of the mean ARI over ``clusterings``, listings drawn anew."""
    rng = np.random.default_rng(seed)
    count = len(labels)
    height, widths = int(labels.max()) + 1, [int(each.max()) + 1 for each in clusterings]
    cells = [labels * width + each for each, width in zip(clusterings, widths, strict=True)]
    means = np.empty(resamples)
    for at in range(resamples):
        drawn = rng.integers(0, count, count)
        # A listing always agrees with itself: counted, such pairs would lift the figure where clusters are small.
        selves = float(_pairs(np.bincount(drawn, minlength=count).astype(np.float64)).sum())
        means[at] = np.mean(
            [
                adjusted_rand(np.bincount(cell[drawn], minlength=height * width).reshape(height, width), selves)
                for cell, width in zip(cells, widths, strict=True)
            ]
        )
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
