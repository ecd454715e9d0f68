"""Spectral clustering: what k-means then divides are the leading eigenvectors of a graph of nearest neighbours."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

NEIGHBOURS = 15  # as many as a combination of text and photo is seen with


def embedded(vectors: NDArray[np.float32], kinds: int) -> NDArray[np.float32]:
    """Shape (n, d), n > 3, to (n, at most kinds): Shi and Malik 2000, as von Luxburg 2007 sums up.

    Each row is joined with its NEIGHBOURS nearest ones, whatever their distance. The same input gives the same numbers.
    """
    from sklearn.manifold import spectral_embedding
    from sklearn.neighbors import kneighbors_graph

    count = len(vectors)
    with threadpool_limits(1), warnings.catch_warnings():
        # Groups that lie wholly apart are a graph in pieces: that is what is looked for.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        graph = kneighbors_graph(vectors, min(NEIGHBOURS, count), include_self=True, n_jobs=1)
        # The solver finds fewer eigenvectors than there are rows. The first, the same for all rows, costs nothing.
        kept = min(kinds, count - 2)
        found = spectral_embedding((graph + graph.T) / 2, n_components=kept, random_state=0, drop_first=False)
    return np.asarray(found, np.float32)
