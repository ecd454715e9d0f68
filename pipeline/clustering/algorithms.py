"""Clustering methods: k-means, spectral clustering, and HDBSCAN. Each is deterministic for the same input and seed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Labels = NDArray[np.int64]
KMEANS_STARTS = 10
MINI_BATCH_LIMIT = 50_000  # rows above which k-means uses mini-batches (Sculley 2010)
SPECTRAL_NEIGHBOURS = 15  # as in feature_combination.NEIGHBOURS, which averages features of text and photo
MAX_SPECTRAL_NEIGHBOURS = 480  # bounds the memory of a graph that keeps many components
NOISE = -1
MIN_CLUSTER_SIZE = 5
MIN_CLUSTER_SHARE = 0.01  # of the rows


def kmeans(vectors: NDArray[np.float32], n_clusters: int, seed: int) -> Labels:
    """A cluster number, 0 to n_clusters - 1, for each row of (n, d), by the best of KMEANS_STARTS runs."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    effective_clusters = min(n_clusters, len(np.unique(vectors, axis=0)) if len(vectors) < 1_000 else len(vectors))
    with threadpool_limits(1):
        if len(vectors) > MINI_BATCH_LIMIT:
            labels = MiniBatchKMeans(effective_clusters, n_init=3, batch_size=4_096, random_state=seed).fit_predict(
                vectors
            )
        else:
            labels = KMeans(effective_clusters, n_init=KMEANS_STARTS, random_state=seed).fit_predict(vectors)
    return np.asarray(labels, np.int64)


def hdbscan(vectors: NDArray[np.float32]) -> Labels:
    """A cluster number from 0, or NOISE, for each row of (n, d): Campello, Moulavi and Sander 2013.

    The method chooses the number of clusters; each has at least MIN_CLUSTER_SIZE and MIN_CLUSTER_SHARE of the rows.
    """
    from sklearn.cluster import HDBSCAN

    min_size = max(MIN_CLUSTER_SIZE, round(MIN_CLUSTER_SHARE * len(vectors)))
    with threadpool_limits(1):
        labels = HDBSCAN(min_cluster_size=min_size, n_jobs=1, copy=True).fit_predict(vectors)
    return np.asarray(labels, np.int64)


def spectral_embedding(vectors: NDArray[np.float32], n_clusters: int) -> NDArray[np.float32]:
    """Shape (n, d), n > 3, to (n, at most n_clusters), as input of k-means: Shi and Malik 2000, von Luxburg 2007.

    The columns are the leading eigenvectors of a nearest-neighbour graph of the rows.
    """
    from sklearn.manifold import spectral_embedding as embed

    with threadpool_limits(1), warnings.catch_warnings():
        # A separate component is a cluster like any other.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        # The solver finds fewer eigenvectors than rows. The first one is constant and does no harm.
        n_components = min(n_clusters, len(vectors) - 2)
        embedding = embed(
            _neighbour_graph(vectors, n_clusters), n_components=n_components, random_state=0, drop_first=False
        )
    return np.asarray(embedding, np.float32)


def _neighbour_graph(vectors: NDArray[np.float32], n_clusters: int) -> Any:
    """A symmetric CSR matrix of shape (n, n): 1 for two rows among each other's nearest, ½ for a one-sided pair.

    Each row is joined with its SPECTRAL_NEIGHBOURS nearest, or twice as many, and so on up to
    MAX_SPECTRAL_NEIGHBOURS, until the graph has at most ``n_clusters`` components: with more, the eigenvectors would
    only separate some of the components, chosen by chance.
    """
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_jobs=1).fit(vectors)
    max_neighbours = min(MAX_SPECTRAL_NEIGHBOURS, len(vectors))
    n_neighbours = min(SPECTRAL_NEIGHBOURS, len(vectors))
    while True:
        graph = search.kneighbors_graph(vectors, n_neighbours)
        graph = (graph + graph.T) / 2
        if n_neighbours >= max_neighbours or connected_components(graph, directed=False)[0] <= n_clusters:
            return graph
        n_neighbours = min(2 * n_neighbours, max_neighbours)
