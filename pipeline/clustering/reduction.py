"""Dimension reduction: PCA of unit rows, and two-dimensional maps by t-SNE.

Rows are normalised before PCA and after it: the direction of a reduced row reflects the content of the listing, its
length mostly how much PCA has kept of it (as usual in latent semantic analysis: Deerwester et al. 1990).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from pipeline.features.extractor import Matrix, Vectors

MAX_COMPONENTS = 100
VARIANCE_SHARE = 0.99
PERPLEXITY = 30.0
EXACT_TSNE_LIMIT = 3_000  # rows up to which scikit-learn's t-SNE is fast; above, openTSNE interpolates on a grid
DENSE_LIMIT = 50_000_000  # elements up to which a sparse matrix is made dense: 200 MB


def reduce_features(matrix: Matrix, seed: int = 0) -> Vectors:
    """PCA of (n, d), dense or CSR, to float32 unit rows (n, at most MAX_COMPONENTS), keeping VARIANCE_SHARE.

    The same matrix and seed give the same numbers.
    """
    from sklearn.decomposition import PCA

    rows = unit_rows(matrix)
    max_components = min(MAX_COMPONENTS, min(rows.shape) - 1)
    if max_components < 1:
        return np.asarray(rows.todense() if sparse.issparse(rows) else rows, np.float32)
    stays_sparse = sparse.issparse(rows) and rows.shape[0] * rows.shape[1] > DENSE_LIMIT
    if sparse.issparse(rows) and not stays_sparse:
        rows = rows.toarray()
    # Only ARPACK centres a sparse matrix without making it dense.
    pca = PCA(max_components, svd_solver="arpack" if stays_sparse else "auto", random_state=seed)
    with threadpool_limits(1, user_api="openmp"):
        projected = pca.fit_transform(rows)
    n_components = int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), VARIANCE_SHARE)) + 1
    return np.asarray(unit_rows(projected[:, :n_components].astype(np.float32)), np.float32)


def unit_rows(matrix: Matrix) -> Matrix:
    """Divide each row by its length, as float32; rows of zeros stay zero."""
    from sklearn.preprocessing import normalize

    return normalize(matrix.astype(np.float32), copy=False)


def tsne(vectors: Vectors, seed: int, perplexity: float = PERPLEXITY) -> NDArray[np.float32]:
    """Shape (n, d) to (n, 2) by t-SNE (van der Maaten and Hinton 2008), initialised at random from ``seed``.

    If initialised from the principal components, all seeds would give nearly the same map, and the spread over seeds
    would not show how reliable a map is. The perplexity is lowered if there are too few rows for it. One thread only:
    sums of several threads differ in their last digits, which t-SNE amplifies, and the same seed must give the same
    map.
    """
    n_rows = len(vectors)
    if n_rows < 4:
        return np.zeros((n_rows, 2), np.float32)
    perplexity = min(perplexity, (n_rows - 1) / 3.0)
    with threadpool_limits(1):
        if n_rows <= EXACT_TSNE_LIMIT:
            points = _exact_tsne(vectors, seed, perplexity)
        else:
            points = _interpolated_tsne(vectors, seed, perplexity)
    return np.asarray(points, np.float32)


def _exact_tsne(vectors: Vectors, seed: int, perplexity: float) -> Any:
    from sklearn.manifold import TSNE

    return TSNE(2, perplexity=perplexity, random_state=seed, init="random", n_jobs=1).fit_transform(vectors)


def _interpolated_tsne(vectors: Vectors, seed: int, perplexity: float) -> Any:
    """FIt-SNE (Linderman et al. 2019) as implemented by openTSNE."""
    from openTSNE import TSNE

    model = TSNE(
        2, perplexity=perplexity, random_state=seed, initialization="random", negative_gradient_method="fft", n_jobs=1
    )
    return model.fit(np.asarray(vectors, np.float64))
