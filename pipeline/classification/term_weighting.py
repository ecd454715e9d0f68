"""Terms weighed by what they tell of the categories, learned from labels beside the extractor's own weighing.

How rare a term is says little of whether it tells categories apart: ``cotton`` may be as rare as ``saucepan``, but it
stands in towels, bedding and baby clothes alike. What a term tells is the divergence (Kullback and Leibler 1951) of the
categories of the listings that have it from those of all listings: supervised term weighting (Debole and Sebastiani
2003). A rare term always seems to tell something, by chance the more the more categories there are; what chance gives
is taken off (Miller 1955).

Whoever judges listings by such weights must not have learned them from their labels: held-out scores need weights
learned from the other folds.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from pipeline.features.extractor import Matrix
from pipeline.features.term_counts import unit_rows

Floats = NDArray[np.float32]
_MOST = 4.0  # how much the most telling term gains over one that tells nothing
_PRIOR = 2.0  # listings of the usual mix that each term is taken to have stood in besides


def learn_term_weights(vectors: Matrix, labels: NDArray[np.int64], kinds: int) -> Floats:
    """How much each term weighs, from 1 on, shape (d,). ``vectors`` is CSR (n, d), ``labels`` 0 .. kinds-1."""
    count = len(labels)
    usual = np.bincount(labels, minlength=kinds) / count
    having = sp.csr_matrix((np.ones(vectors.nnz), vectors.indices, vectors.indptr), shape=vectors.shape)
    members = sp.csr_matrix((np.ones(count), (np.arange(count), labels)), shape=(count, kinds))
    found = (having.T @ members).tocoo()  # in how many listings of each category a term stands: few pairs are there
    known = np.asarray(having.sum(axis=0)).ravel() + _PRIOR
    absent = _PRIOR / known  # a category that lacks the term has this much of its usual share
    share = (found.data + _PRIOR * usual[found.col]) / known[found.row]
    gained = share * np.log(share / usual[found.col])
    lacking = absent * np.log(absent)
    lost = usual[found.col] * lacking[found.row]
    divergence = lacking + np.bincount(found.row, gained - lost, minlength=vectors.shape[1])
    others = np.maximum(np.bincount(found.row, minlength=vectors.shape[1]) - 1, 0)
    divergence -= others / (2 * np.maximum(known - _PRIOR, 1))
    largest = np.log(max(int((usual > 0).sum()), 2))
    return np.asarray(1.0 + _MOST * np.maximum(divergence, 0.0) / largest, np.float32)


def weight_terms(vectors: Matrix, emphasis: Floats) -> Matrix:
    """CSR (n, d) with its terms weighed, each row a unit vector again."""
    weighed = vectors.tocsr(copy=True)
    weighed.data *= emphasis[weighed.indices]
    return unit_rows(weighed)
