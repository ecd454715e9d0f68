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
BOOTSTRAP_SAMPLES = 200
MAX_SILHOUETTE_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """The measures of one clustering; ``accuracy`` is computed after optimal assignment of clusters to categories."""

    ari: float
    ami: float
    v_measure: float
    silhouette: float | None
    accuracy: float


def measure_agreement(labels: Labels, clusters: Labels, vectors: NDArray[np.float32], seed: int = 0) -> Agreement:
    """All measures of one clustering; ``labels`` and ``clusters`` have shape (n,).

    The silhouette is that of the clusters in ``vectors``, on at most MAX_SILHOUETTE_ROWS of them; None if there is only
    one cluster, or one per row.
    """
    from sklearn.metrics import adjusted_mutual_info_score, silhouette_score, v_measure_score

    n_clusters = len(np.unique(clusters))
    silhouette = None
    if 1 < n_clusters < min(len(clusters), MAX_SILHOUETTE_ROWS):
        sample_size = None if len(clusters) <= MAX_SILHOUETTE_ROWS else MAX_SILHOUETTE_ROWS
        try:
            silhouette = float(silhouette_score(vectors, clusters, sample_size=sample_size, random_state=seed))
        except ValueError:  # the sample happened to contain only one cluster
            silhouette = None
    return Agreement(
        ari=float(adjusted_rand_index(contingency_table(labels, clusters))),
        ami=float(adjusted_mutual_info_score(labels, clusters)),
        v_measure=float(v_measure_score(labels, clusters)),
        silhouette=silhouette,
        accuracy=float((assign_categories(labels, clusters) == labels).mean()),
    )


def contingency_table(labels: Labels, clusters: Labels) -> NDArray[np.int64]:
    """The number of listings per category and cluster: shape (categories, clusters)."""
    n_clusters = int(clusters.max(initial=0)) + 1
    n_categories = int(labels.max(initial=0)) + 1
    return (
        np.bincount(labels * n_clusters + clusters, minlength=n_categories * n_clusters)
        .reshape(n_categories, n_clusters)
        .astype(np.int64)
    )


def adjusted_rand_index(tables: NDArray[np.int64], self_pairs: float = 0.0) -> NDArray[np.float64]:
    """The adjusted Rand index of one contingency table or a stack: shape (..., categories, clusters) to (...).

    ``self_pairs`` is the number of pairs to leave out: of a listing with itself, if a bootstrap drew it repeatedly.
    """
    cells = tables.astype(np.float64)
    all_pairs = _pairs(cells.sum(axis=(-2, -1))) - self_pairs
    pairs_in_both = _pairs(cells).sum(axis=(-2, -1)) - self_pairs
    pairs_in_categories = _pairs(cells.sum(axis=-1)).sum(axis=-1) - self_pairs
    pairs_in_clusters = _pairs(cells.sum(axis=-2)).sum(axis=-1) - self_pairs
    expected = pairs_in_categories * pairs_in_clusters / np.maximum(all_pairs, 1.0)
    max_index = (pairs_in_categories + pairs_in_clusters) / 2
    # Both have a single group, or only groups of one listing: they agree completely.
    is_degenerate = np.isclose(max_index, expected)
    return np.asarray(
        np.where(is_degenerate, 1.0, (pairs_in_both - expected) / np.where(is_degenerate, 1.0, max_index - expected))
    )


def _pairs(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The number of unordered pairs among ``counts`` items."""
    return counts * (counts - 1.0) / 2.0


def assign_categories(labels: Labels, clusters: Labels) -> Labels:
    """The category of each listing by the best one-to-one assignment of clusters to categories: shape (n,).

    If there are more clusters than categories, each unassigned cluster gets its most frequent category.
    """
    from scipy.optimize import linear_sum_assignment

    table = contingency_table(labels, clusters)
    category_of_cluster = table.argmax(axis=0)
    categories, assigned_clusters = linear_sum_assignment(table, maximize=True)
    category_of_cluster[assigned_clusters] = categories
    return np.asarray(category_of_cluster[clusters], np.int64)


def ari_spread(
    labels: Labels, clusterings: Sequence[Labels], seed: int = 0, n_samples: int = BOOTSTRAP_SAMPLES
) -> Spread:
    """The ARI over ``clusterings``, with the 95 % interval of its mean by bootstrap (percentiles, Efron 1979)."""
    values = [float(adjusted_rand_index(contingency_table(labels, clusters))) for clusters in clusterings]
    rng = np.random.default_rng(seed)
    n_listings = len(labels)
    n_categories, cluster_counts = int(labels.max()) + 1, [int(clusters.max()) + 1 for clusters in clusterings]
    cells = [labels * n_clusters + clusters for clusters, n_clusters in zip(clusterings, cluster_counts, strict=True)]
    means = np.empty(n_samples)
    for index in range(n_samples):
        sample = rng.integers(0, n_listings, n_listings)
        # A listing always agrees with itself: such pairs would raise the index of small clusters.
        self_pairs = float(_pairs(np.bincount(sample, minlength=n_listings).astype(np.float64)).sum())
        means[index] = np.mean(
            [
                adjusted_rand_index(
                    np.bincount(cell[sample], minlength=n_categories * n_clusters).reshape(n_categories, n_clusters),
                    self_pairs,
                )
                for cell, n_clusters in zip(cells, cluster_counts, strict=True)
            ]
        )
    low, high = np.quantile(means, (0.025, 0.975))
    return Spread.of(values, float(low), float(high))
