"""From features to few numbers: unit rows and PCA, then a plane by t-SNE.

Rows are brought to unit length before PCA and after it: what PCA leaves of a listing tells by its direction what it is,
and by its length mostly how much of it PCA has kept (as usual for latent semantic analysis: Deerwester et al. 1990).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from pipeline.features.extractor import Matrix, Vectors

MOST = 100  # principal axes
SHARE = 0.99  # of the variance
PERPLEXITY = 30.0
EXACT = 3_000  # listings up to which scikit-learn's t-SNE is quick; above, openTSNE interpolates on a grid
FILLED = 50_000_000  # numbers up to which a sparse matrix may be filled: 200 MB
PLANE_LIMIT = 10_000  # listings that a plane still shows; of more, an even part is laid out


def reduced(matrix: Matrix, seed: int = 0) -> Vectors:
    """Shape (n, d), dense or CSR, to float32 of shape (n, at most 100): SHARE of the variance, unit rows.

    The same matrix and seed give the same numbers.
    """
    from sklearn.decomposition import PCA

    rows = unit_rows(matrix)
    kept = min(MOST, min(rows.shape) - 1)
    if kept < 1:
        return np.asarray(rows.todense() if sparse.issparse(rows) else rows, np.float32)
    wide = sparse.issparse(rows) and rows.shape[0] * rows.shape[1] > FILLED
    if sparse.issparse(rows) and not wide:
        rows = rows.toarray()
    # Only ARPACK centres a sparse matrix without filling it.
    pca = PCA(kept, svd_solver="arpack" if wide else "auto", random_state=seed)
    with threadpool_limits(1, user_api="openmp"):
        found = pca.fit_transform(rows)
    enough = int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), SHARE)) + 1
    return np.asarray(unit_rows(found[:, :enough].astype(np.float32)), np.float32)


def unit_rows(matrix: Matrix) -> Matrix:
    """Each row divided by its length, as float32; rows of zeros stay."""
    from sklearn.preprocessing import normalize

    return normalize(matrix.astype(np.float32), copy=False)


def plane(vectors: Vectors, seed: int, perplexity: float = PERPLEXITY) -> NDArray[np.float32]:
    """Shape (n, d) to (n, 2) by t-SNE (van der Maaten and Hinton 2008), its start drawn from ``seed``.

    From the principal axes instead, every seed would give nearly the same plane, and the spread over seeds would say
    nothing of how far to trust one. Perplexity is lowered where the listings are too few for it. Same input and seed,
    same plane: one thread only, since sums of several threads differ in their last digits, which t-SNE makes large.
    """
    count = len(vectors)
    if count < 4:
        return np.zeros((count, 2), np.float32)
    fitting = min(perplexity, (count - 1) / 3.0)
    with threadpool_limits(1):
        laid: Any = _exact(vectors, seed, fitting) if count <= EXACT else _interpolated(vectors, seed, fitting)
    return np.asarray(laid, np.float32)


def _exact(vectors: Vectors, seed: int, perplexity: float) -> Any:
    from sklearn.manifold import TSNE

    return TSNE(2, perplexity=perplexity, random_state=seed, init="random", n_jobs=1).fit_transform(vectors)


def _interpolated(vectors: Vectors, seed: int, perplexity: float) -> Any:
    """Linderman et al. 2019 (FIt-SNE) as openTSNE has it."""
    from openTSNE import TSNE

    layout = TSNE(
        2, perplexity=perplexity, random_state=seed, initialization="random", negative_gradient_method="fft", n_jobs=1
    )
    return layout.fit(np.asarray(vectors, np.float64))
