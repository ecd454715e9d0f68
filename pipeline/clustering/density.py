"""HDBSCAN: clusters are where listings lie dense, their number is found, and what lies between them is noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

NOISE = -1
SMALLEST = 5
SHARE = 0.01  # of the listings, that a cluster must have


def clusters(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """A cluster number, 0 and up, or NOISE for each row of (n, d): Campello, Moulavi and Sander 2013.

    A cluster has at least SHARE of the rows and SMALLEST of them. Nothing is drawn: the same input gives the same.
    """
    from sklearn.cluster import HDBSCAN

    least = max(SMALLEST, round(SHARE * len(vectors)))
    with threadpool_limits(1):
        found = HDBSCAN(min_cluster_size=least, n_jobs=1, copy=True).fit_predict(vectors)
    return np.asarray(found, np.int64)
