"""Measures of agreement between clusters and categories.

Adjusted Rand index: Hubert and Arabie 1985. Adjusted mutual information: Vinh, Epps, Bailey 2010. V-measure: Rosenberg
and Hirschberg 2007. Silhouette: Rousseeuw 1987. Optimal assignment: Kuhn 1955.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.study import Spread

Labels = NDArray[np.int64]
RESAMPLES = 200
SILHOUETTE_SAMPLE = 2_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """The measures of one clustering; ``accuracy`` is that of its clusters after optimal assignment to categories."""

    ari: float
    ami: float
    v_measure: float
    silhouette: float | None
    accuracy: float


def measure_agreement(labels: Labels, clusters: Labels, vectors: NDArray[np.float32], seed: int = 0) -> Agreement:
    """All measures of one clustering; ``labels`` and ``clusters`` have shape (n,).

    The silhouette is that of the clusters in ``vectors``, on at most SILHOUETTE_SAMPLE of them; None where there is
    only one cluster.
    """
    from sklearn.metrics import adjusted_mutual_info_score, silhouette_score, v_measure_score

    n_clusters = len(np.unique(clusters))
    silhouette = None
    if 1 < n_clusters < min(len(clusters), SILHOUETTE_SAMPLE):
        sample_size = None if len(clusters) <= SILHOUETTE_SAMPLE else SILHOUETTE_SAMPLE
        try:
            silhouette = float(silhouette_score(vectors, clusters, sample_size=sample_size, random_state=seed))
        except ValueError:  # the sample happened to contain one cluster only
            silhouette = None
    return Agreement(
        ari=float(adjusted_rand_index(contingency_table(labels, clusters))),
        ami=float(adjusted_mutual_info_score(labels, clusters)),
        v_measure=float(v_measure_score(labels, clusters)),
        silhouette=silhouette,
        accuracy=float((assign_categories(labels, clusters) == labels).mean()),
    )


def contingency_table(labels: Labels, clusters: Labels) -> NDArray[np.int64]:
    """The number of listings of each category in each cluster: shape (categories, clusters)."""
    width = int(clusters.max(initial=0)) + 1
    height = int(labels.max(initial=0)) + 1
    return np.bincount(labels * width + clusters, minlength=height * width).reshape(height, width).astype(np.int64)


def adjusted_rand_index(tables: NDArray[np.int64], self_pairs: float = 0.0) -> NDArray[np.float64]:
    """The adjusted Rand index of one contingency table or a stack: shape (..., categories, clusters) to (...).

    ``self_pairs`` are left out: pairs of a listing with itself, where a bootstrap has drawn it more than once.
    """
    cells = tables.astype(np.float64)
    total = _pairs(cells.sum(axis=(-2, -1))) - self_pairs
    together = _pairs(cells).sum(axis=(-2, -1)) - self_pairs
    by_label = _pairs(cells.sum(axis=-1)).sum(axis=-1) - self_pairs
    by_cluster = _pairs(cells.sum(axis=-2)).sum(axis=-1) - self_pairs
    expected = by_label * by_cluster / np.maximum(total, 1.0)
    most = (by_label + by_cluster) / 2
    # Both have a single group, or only groups of one listing: they agree entirely.
    same = np.isclose(most, expected)
    return np.asarray(np.where(same, 1.0, (together - expected) / np.where(same, 1.0, most - expected)))


def _pairs(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return counts * (counts - 1.0) / 2.0


def assign_categories(labels: Labels, clusters: Labels) -> Labels:
    """The category of each listing by the best one-to-one assignment of clusters to categories: shape (n,).

    Where there are more clusters than categories, a cluster left over gets its most frequent category.
    """
    from scipy.optimize import linear_sum_assignment

    table = contingency_table(labels, clusters)
    category_of = table.argmax(axis=0)
    categories, assigned = linear_sum_assignment(table, maximize=True)
    category_of[assigned] = categories
    return np.asarray(category_of[clusters], np.int64)


def ari_spread(labels: Labels, clusterings: Sequence[Labels], seed: int = 0, resamples: int = RESAMPLES) -> Spread:
    """The ARI over ``clusterings``, with the 95 % interval of its mean by bootstrap (percentiles, Efron 1979)."""
    values = [float(adjusted_rand_index(contingency_table(labels, clusters))) for clusters in clusterings]
    rng = np.random.default_rng(seed)
    count = len(labels)
    height, widths = int(labels.max()) + 1, [int(clusters.max()) + 1 for clusters in clusterings]
    cells = [labels * width + clusters for clusters, width in zip(clusterings, widths, strict=True)]
    means = np.empty(resamples)
    for resample in range(resamples):
        drawn = rng.integers(0, count, count)
        # A listing always agrees with itself: such pairs would raise the index where clusters are small.
        self_pairs = float(_pairs(np.bincount(drawn, minlength=count).astype(np.float64)).sum())
        means[resample] = np.mean(
            [
                adjusted_rand_index(
                    np.bincount(cell[drawn], minlength=height * width).reshape(height, width), self_pairs
                )
                for cell, width in zip(cells, widths, strict=True)
            ]
        )
    low, high = np.quantile(means, (0.025, 0.975))
    return Spread.of(values, float(low), float(high))
