"""Supervised term weighting: a term's weight is how well it separates the categories, learned from labels.

The extractor's own weighting, inverse document frequency, only measures how rare a term is: ``cotton`` may be as rare
as ``saucepan``, but it occurs in towels, bedding and baby clothes alike. Here the weight of a term grows with the
divergence (Kullback and Leibler 1951) of the category distribution of the listings that contain it from that of all
listings (Debole and Sebastiani 2003). A rare term diverges by chance, more so with more categories; the divergence
expected by chance (Miller-Madow bias, Miller 1955) is subtracted.

For held-out scores, learn the weights from the other folds only.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from pipeline.features.extractor import Floats, Matrix
from pipeline.features.term_counts import unit_rows

_MAX_ADDED_WEIGHT = 4.0  # added to the weight of the most informative term; an uninformative one weighs 1
_PRIOR_LISTINGS = 2.0  # pseudo-count: each term is assumed to occur in this many more listings, of average categories


def learn_term_weights(vectors: Matrix, labels: NDArray[np.int64], n_categories: int) -> Floats:
    """The weight of each term, at least 1, shape (d,). ``vectors`` is CSR (n, d); labels run from 0."""
    n_listings = len(labels)
    base_rates = np.bincount(labels, minlength=n_categories) / n_listings
    has_term = sp.csr_matrix((np.ones(vectors.nnz), vectors.indices, vectors.indptr), shape=vectors.shape)
    membership = sp.csr_matrix((np.ones(n_listings), (np.arange(n_listings), labels)), shape=(n_listings, n_categories))
    pairs = (has_term.T @ membership).tocoo()  # listings by term and category: few of these pairs occur
    frequency = np.asarray(has_term.sum(axis=0)).ravel() + _PRIOR_LISTINGS
    # The divergence of a term is the sum over categories of p * log(p / q): q is the base rate of the category, p its
    # rate among the listings with the term. In a category where the term does not occur, p = absent_ratio * q, so the
    # contributions of all categories are absent_term * q, summing to absent_term, except where the term does occur.
    absent_ratio = _PRIOR_LISTINGS / frequency
    absent_term = absent_ratio * np.log(absent_ratio)
    base_rate = base_rates[pairs.col]
    rate = (pairs.data + _PRIOR_LISTINGS * base_rate) / frequency[pairs.row]
    present_terms = rate * np.log(rate / base_rate)
    replaced_terms = base_rate * absent_term[pairs.row]
    divergence = absent_term + np.bincount(pairs.row, present_terms - replaced_terms, minlength=vectors.shape[1])
    other_categories = np.maximum(np.bincount(pairs.row, minlength=vectors.shape[1]) - 1, 0)
    divergence -= other_categories / (2 * np.maximum(frequency - _PRIOR_LISTINGS, 1))
    max_divergence = np.log(max(int((base_rates > 0).sum()), 2))
    return np.asarray(1.0 + _MAX_ADDED_WEIGHT * np.maximum(divergence, 0.0) / max_divergence, np.float32)


def weight_terms(vectors: Matrix, term_weights: Floats) -> Matrix:
    """Multiply each column of CSR (n, d) by its weight, and normalise each row to a unit vector."""
    weighted = vectors.tocsr(copy=True)
    weighted.data *= term_weights[weighted.indices]
    return unit_rows(weighted)
