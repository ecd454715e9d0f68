"""Listings seen with their neighbours: each vector becomes the mean of those around it."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.clustering.reduction import unit_rows
from pipeline.features.extractor import Vectors

NEIGHBOURS = 15
_CHUNK = 1_024  # rows whose neighbours are gathered at once: bounds the memory of their copies


def with_neighbours(vectors: Vectors, count: int = NEIGHBOURS) -> Vectors:
    """Unit rows of shape (n, d) to unit rows: the mean of each one and its ``count`` nearest, weighed by their cosine.

    What a listing shares with those around it stays, what is its own alone (the wording of one seller, the background
    of one photo) averages out: Arandjelović and Zisserman 2012, section 5 (features of a database augmented by their
    neighbours), with the weights of Radenović et al. 2019. Those that point away from it (cosine < 0) count nothing.
    """
    from sklearn.neighbors import NearestNeighbors

    wanted = min(count + 1, len(vectors))
    found = np.empty_like(vectors)
    with threadpool_limits(1, user_api="openmp"):
        # Of unit rows the nearest are also the most alike, and this search keeps no table of all distances.
        search = NearestNeighbors(n_neighbors=wanted, algorithm="brute").fit(vectors)
        for start in range(0, len(vectors), _CHUNK):
            distances, nearest = search.kneighbors(vectors[start : start + _CHUNK])
            weights = np.maximum(1.0 - distances**2 / 2.0, 0.0).astype(np.float32)
            found[start : start + _CHUNK] = np.einsum("nk,nkd->nd", weights, vectors[nearest])
    rows: Vectors = unit_rows(found)
    return rows
