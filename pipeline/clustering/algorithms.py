"""Clustering methods: k-means, spectral clustering, and HDBSCAN. Each is deterministic for the same input and seed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Labels = NDArray[np.int64]
KMEANS_STARTS = 10
MINI_BATCH_LIMIT = 50_000  # rows above which k-means works on small batches (Sculley 2010)
SPECTRAL_NEIGHBOURS = 15  # as many as features of text and photo together are averaged over
MAX_SPECTRAL_NEIGHBOURS = 480  # of a graph that stays in many components: bounds its memory
NOISE = -1
MIN_CLUSTER_SIZE = 5
MIN_CLUSTER_SHARE = 0.01  # of the rows


def kmeans(vectors: NDArray[np.float32], n_clusters: int, seed: int) -> Labels:
    """A cluster number, 0 to n_clusters - 1, for each row of (n, d): the best of KMEANS_STARTS starts."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    count = min(n_clusters, len(np.unique(vectors, axis=0)) if len(vectors) < 1_000 else len(vectors))
    with threadpool_limits(1):
        if len(vectors) > MINI_BATCH_LIMIT:
            labels = MiniBatchKMeans(count, n_init=3, batch_size=4_096, random_state=seed).fit_predict(vectors)
        else:
            labels = KMeans(count, n_init=KMEANS_STARTS, random_state=seed).fit_predict(vectors)
    return np.asarray(labels, np.int64)


def hdbscan(vectors: NDArray[np.float32]) -> Labels:
    """A cluster number from 0, or NOISE, for each row of (n, d): Campello, Moulavi and Sander 2013.

    The number of clusters is found; each has at least MIN_CLUSTER_SHARE of the rows and MIN_CLUSTER_SIZE of them.
    """
    from sklearn.cluster import HDBSCAN

    smallest = max(MIN_CLUSTER_SIZE, round(MIN_CLUSTER_SHARE * len(vectors)))
    with threadpool_limits(1):
        labels = HDBSCAN(min_cluster_size=smallest, n_jobs=1, copy=True).fit_predict(vectors)
    return np.asarray(labels, np.int64)


def spectral_embedding(vectors: NDArray[np.float32], n_clusters: int) -> NDArray[np.float32]:
    """Shape (n, d), n > 3, to (n, at most n_clusters), for k-means to cluster: Shi and Malik 2000, von Luxburg 2007.

    The columns are the leading eigenvectors of a graph that joins each row with its nearest ones.
    """
    from sklearn.manifold import spectral_embedding as embed

    with threadpool_limits(1), warnings.catch_warnings():
        # A component is a cluster like any other.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        # The solver finds fewer eigenvectors than there are rows. The first, the same for all rows, does no harm.
        count = min(n_clusters, len(vectors) - 2)
        embedding = embed(_neighbour_graph(vectors, n_clusters), n_components=count, random_state=0, drop_first=False)
    return np.asarray(embedding, np.float32)


def _neighbour_graph(vectors: NDArray[np.float32], n_clusters: int) -> Any:
    """A symmetric CSR matrix of shape (n, n): 1 for two rows among each other's nearest, ½ for a one-sided pair.

    Each row is joined with its SPECTRAL_NEIGHBOURS nearest, or twice as many, and so on up to
    MAX_SPECTRAL_NEIGHBOURS, until the graph has at most ``n_clusters`` components: with more, the eigenvectors would
    separate some of the components, by chance, and nothing else.
    """
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_jobs=1).fit(vectors)
    most = min(MAX_SPECTRAL_NEIGHBOURS, len(vectors))
    count = min(SPECTRAL_NEIGHBOURS, len(vectors))
    while True:
        graph = search.kneighbors_graph(vectors, count)
        graph = (graph + graph.T) / 2
        if count >= most or connected_components(graph, directed=False)[0] <= n_clusters:
            return graph
        count = min(2 * count, most)
