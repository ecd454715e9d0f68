"""Supervised term weighting: the weight of a term is how well it separates the categories, learned from labels.

The extractor's own weighting only knows how rare a term is: ``cotton`` may be as rare as ``saucepan``, but it occurs in
towels, bedding and baby clothes alike. Here a term weighs by the divergence (Kullback and Leibler 1951) of the
categories of the listings that contain it from those of all listings (Debole and Sebastiani 2003). A rare term always
diverges by chance, the more the more categories there are; what chance gives is subtracted (Miller 1955).

Held-out scores need weights learned from the other folds only.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from pipeline.features.extractor import Floats, Matrix
from pipeline.features.term_counts import unit_rows

_MAX_ADDED_WEIGHT = 4.0  # added to the weight of the most informative term; an uninformative one weighs 1
_PRIOR_LISTINGS = 2.0  # additional listings of average categories that each term is assumed to occur in


def learn_term_weights(vectors: Matrix, labels: NDArray[np.int64], n_categories: int) -> Floats:
    """The weight of each term, at least 1, shape (d,). ``vectors`` is CSR (n, d); labels run from 0."""
    count = len(labels)
    base_rates = np.bincount(labels, minlength=n_categories) / count
    has_term = sp.csr_matrix((np.ones(vectors.nnz), vectors.indices, vectors.indptr), shape=vectors.shape)
    membership = sp.csr_matrix((np.ones(count), (np.arange(count), labels)), shape=(count, n_categories))
    pairs = (has_term.T @ membership).tocoo()  # listings by term and category: few of these pairs occur
    frequency = np.asarray(has_term.sum(axis=0)).ravel() + _PRIOR_LISTINGS
    absent = _PRIOR_LISTINGS / frequency  # the share of its base rate that a category without the term keeps
    share = (pairs.data + _PRIOR_LISTINGS * base_rates[pairs.col]) / frequency[pairs.row]
    gained = share * np.log(share / base_rates[pairs.col])
    lacking = absent * np.log(absent)
    lost = base_rates[pairs.col] * lacking[pairs.row]
    divergence = lacking + np.bincount(pairs.row, gained - lost, minlength=vectors.shape[1])
    other_categories = np.maximum(np.bincount(pairs.row, minlength=vectors.shape[1]) - 1, 0)
    divergence -= other_categories / (2 * np.maximum(frequency - _PRIOR_LISTINGS, 1))
    largest = np.log(max(int((base_rates > 0).sum()), 2))
    return np.asarray(1.0 + _MAX_ADDED_WEIGHT * np.maximum(divergence, 0.0) / largest, np.float32)


def weight_terms(vectors: Matrix, term_weights: Floats) -> Matrix:
    """CSR (n, d) with each column multiplied by its weight, each row a unit vector again."""
    weighted = vectors.tocsr(copy=True)
    weighted.data *= term_weights[weighted.indices]
    return unit_rows(weighted)
