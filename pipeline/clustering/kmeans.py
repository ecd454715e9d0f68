"""k-means on features or on a plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

STARTS = 10
MINI_BATCH = 50_000  # listings above which k-means looks at small batches (Sculley 2010)


def clusters(vectors: NDArray[np.float32], kinds: int, seed: int) -> NDArray[np.int64]:
    """A cluster number, 0 .. kinds-1, for each row of (n, d): the best of STARTS starts drawn from ``seed``."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    count = min(kinds, len(np.unique(vectors, axis=0)) if len(vectors) < 1_000 else len(vectors))
    with threadpool_limits(1):
        if len(vectors) > MINI_BATCH:
            found = MiniBatchKMeans(count, n_init=3, batch_size=4_096, random_state=seed).fit_predict(vectors)
        else:
            found = KMeans(count, n_init=STARTS, random_state=seed).fit_predict(vectors)
    return np.asarray(found, np.int64)
