"""Spectral clustering: what k-means then divides are the leading eigenvectors of a graph of nearest neighbours."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

NEIGHBOURS = 15  # as many as a combination of text and photo is seen with
MOST = 480  # neighbours of a graph that stays in many pieces: bounds its memory


def embedded(vectors: NDArray[np.float32], kinds: int) -> NDArray[np.float32]:
    """Shape (n, d), n > 3, to (n, at most kinds): Shi and Malik 2000, as von Luxburg 2007 sums up.

    Each row is joined with its NEIGHBOURS nearest ones, whatever their distance, or with twice as many, and so on to
    MOST, until the graph lies in no more pieces than ``kinds``: of more, the eigenvectors would tell a few apart, by
    chance, and nothing else. The same input gives the same numbers.
    """
    from sklearn.manifold import spectral_embedding

    with threadpool_limits(1), warnings.catch_warnings():
        # A piece is a group like others.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        # The solver finds fewer eigenvectors than there are rows. The first, the same for all rows, costs nothing.
        kept = min(kinds, len(vectors) - 2)
        found = spectral_embedding(_graph(vectors, kinds), n_components=kept, random_state=0, drop_first=False)
    return np.asarray(found, np.float32)


def _graph(vectors: NDArray[np.float32], kinds: int) -> Any:
    """A symmetric CSR matrix of shape (n, n): 1 for two rows near each other, ½ where only one thinks so."""
    from scipy.sparse.csgraph import connected_components
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_jobs=1).fit(vectors)
    near = min(NEIGHBOURS, len(vectors))
    while True:
        graph = search.kneighbors_graph(vectors, near)
        graph = (graph + graph.T) / 2
        if near >= min(MOST, len(vectors)) or connected_components(graph, directed=False)[0] <= kinds:
            return graph
        near = min(2 * near, MOST, len(vectors))
