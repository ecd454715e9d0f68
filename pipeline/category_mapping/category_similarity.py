"""Similarity of source categories to the categories of the taxonomy: by their names, and by the texts of listings.

Names are compared by their stemmed words and character n-grams. Texts are compared by the mean vector of each
category's listings, minus the mean of all categories of the taxonomy, which does not distinguish categories.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from pipeline.domain.category import SEPARATOR
from pipeline.domain.listing import Evidence
from pipeline.features import text_cleaning
from pipeline.features.extractor import Matrix, TextExtractor
from pipeline.features.tfidf import Tfidf

Floats = NDArray[np.float32]
_LANGUAGE_PREFIX = re.compile(r"^[a-z]{2,3}:")
_SEPARATORS = re.compile(r"[-_/]+")


def words_of(identifier: str) -> str:
    """The words of a source category's identifier: "sparkling wines" for ``en:sparkling-wines``."""
    last_name = identifier.split(SEPARATOR)[-1]
    return " ".join(_SEPARATORS.sub(" ", _LANGUAGE_PREFIX.sub("", last_name.strip())).split())


def name_similarities(
    source_categories: Sequence[str], categories: Sequence[str], encoders: Mapping[str, TextExtractor] | None = None
) -> Floats:
    """Similarity (0 to 1) of categories by the last name of their paths, shape (n_source_categories, n_categories).

    ``encoders`` are pretrained multilingual text encoders; the result is the maximum of all similarities.
    """
    source_stems = [Evidence(_stems(words_of(name))) for name in source_categories]
    taxonomy_stems = [Evidence(_stems(path.split(SEPARATOR)[-1])) for path in categories]
    extractor = Tfidf(least=1, most_share=1.0).fit([*source_stems, *taxonomy_stems])
    similarities = _cosines(extractor.transform(source_stems), extractor.transform(taxonomy_stems))
    for encoder in (encoders or {}).values():
        source_names = [Evidence(words_of(name)) for name in source_categories]
        taxonomy_names = [Evidence(path.split(SEPARATOR)[-1]) for path in categories]
        encoder_similarities = _cosines(encoder.transform(source_names), encoder.transform(taxonomy_names))
        similarities = np.maximum(similarities, encoder_similarities)
    return np.asarray(np.clip(similarities, 0.0, 1.0), np.float32)


def text_similarities(
    source_texts: Sequence[Evidence],
    source_groups: Sequence[Sequence[int]],
    taxonomy_texts: Sequence[Evidence],
    taxonomy_groups: Sequence[Sequence[int]],
    extractors: Mapping[str, TextExtractor],
) -> Floats:
    """Similarity (-1 to 1) of categories by the texts of their listings, shape (n_source_categories, n_categories).

    ``source_groups`` are the indices in ``source_texts`` of the listings of each source category; ``taxonomy_groups``
    are those in ``taxonomy_texts`` of the listings of each category of the taxonomy and its descendants. The result is
    the mean over the fitted ``extractors``, and 0 for categories without listings.
    """
    shape = (len(source_groups), len(taxonomy_groups))
    if not source_texts or not taxonomy_texts or not extractors:
        return np.zeros(shape, np.float32)
    source_means = _averaging_matrix(source_groups, len(source_texts))
    taxonomy_means = _averaging_matrix(taxonomy_groups, len(taxonomy_texts))
    has_listings = np.array([len(group) > 0 for group in taxonomy_groups])
    total = np.zeros(shape, np.float32)
    for extractor in extractors.values():
        taxonomy_vectors = (taxonomy_means @ extractor.transform(taxonomy_texts))[has_listings]
        total[:, has_listings] += _centred_cosines(source_means @ extractor.transform(source_texts), taxonomy_vectors)
    return np.asarray(total / len(extractors), np.float32)


def _stems(words: str) -> str:
    return " ".join(text_cleaning.stem(word) for word in text_cleaning.words(words))


def _averaging_matrix(groups: Sequence[Any], n_texts: int) -> Any:
    """A sparse matrix, shape (n_groups, n_texts), whose product with vectors is the mean vector of each group."""
    sizes = [len(group) for group in groups]
    rows = np.repeat(np.arange(len(groups)), sizes)
    columns = np.concatenate([np.asarray(group, np.int64) for group in groups]) if len(rows) else np.zeros(0, np.int64)
    shares = np.repeat([1.0 / max(size, 1) for size in sizes], sizes)
    return sp.csr_matrix((shares.astype(np.float32), (rows, columns)), shape=(len(groups), n_texts))


def _centred_cosines(source_rows: Matrix, taxonomy_rows: Matrix) -> Floats:
    """Cosines of the rows minus the mean row of ``taxonomy_rows``, computed without densifying sparse rows."""
    mean = np.asarray(taxonomy_rows.mean(axis=0), np.float32).ravel()
    source_dot_mean = np.asarray(source_rows @ mean).ravel()
    taxonomy_dot_mean = np.asarray(taxonomy_rows @ mean).ravel()
    mean_square = float(mean @ mean)
    products = _dense(source_rows @ taxonomy_rows.T) - source_dot_mean[:, None] - taxonomy_dot_mean[None, :]
    products = products + mean_square
    source_norms, taxonomy_norms = (
        np.sqrt(np.maximum(_squared_norms(rows) - 2 * dot_mean + mean_square, 1e-12))
        for rows, dot_mean in ((source_rows, source_dot_mean), (taxonomy_rows, taxonomy_dot_mean))
    )
    return np.asarray(products / (source_norms[:, None] * taxonomy_norms[None, :]), np.float32)


def _squared_norms(rows: Matrix) -> Floats:
    return np.asarray(rows.multiply(rows).sum(axis=1) if sp.issparse(rows) else (rows * rows).sum(axis=1)).ravel()


def _dense(matrix: Matrix) -> Floats:
    return np.asarray(matrix.todense() if sp.issparse(matrix) else matrix, np.float32)


def _cosines(source_rows: Matrix, taxonomy_rows: Matrix) -> Floats:
    source_norms, taxonomy_norms = (
        np.sqrt(np.maximum(_squared_norms(rows), 1e-18)) for rows in (source_rows, taxonomy_rows)
    )
    products = _dense(source_rows @ taxonomy_rows.T)
    return np.asarray(products / (source_norms[:, None] * taxonomy_norms[None, :]), np.float32)
