"""Similarity of the categories of a source to those of the taxonomy: by their names, and by the texts of listings.

Names are compared by stems and character n-grams. Texts are compared by the mean vectors of the listings, less the mean
of all categories of the taxonomy: what all listings have in common does not distinguish categories.
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
    """The words of a source's identifier: ``en:sparkling-wines`` gives "sparkling wines"."""
    last = identifier.split(SEPARATOR)[-1]
    return " ".join(_SEPARATORS.sub(" ", _LANGUAGE_PREFIX.sub("", last.strip())).split())


def by_names(
    source_categories: Sequence[str], categories: Sequence[str], encoders: Mapping[str, TextExtractor] | None = None
) -> Floats:
    """Similarity (0 to 1) of the names of categories, shape (source's, taxonomy's), by the last name of a path.

    ``encoders`` are pretrained and multilingual; the result is the highest similarity of all.
    """
    source_texts = [Evidence(_stems(words_of(name))) for name in source_categories]
    taxonomy_texts = [Evidence(_stems(path.split(SEPARATOR)[-1])) for path in categories]
    extractor = Tfidf(least=1, most_share=1.0).fit([*source_texts, *taxonomy_texts])
    similarities = _cosines(extractor.transform(source_texts), extractor.transform(taxonomy_texts))
    for encoder in (encoders or {}).values():
        words = [Evidence(words_of(name)) for name in source_categories]
        paths = [Evidence(path.split(SEPARATOR)[-1]) for path in categories]
        similarities = np.maximum(similarities, _cosines(encoder.transform(words), encoder.transform(paths)))
    return np.asarray(np.clip(similarities, 0.0, 1.0), np.float32)


def by_texts(
    source_texts: Sequence[Evidence],
    source_groups: Sequence[Sequence[int]],
    taxonomy_texts: Sequence[Evidence],
    taxonomy_groups: Sequence[Sequence[int]],
    extractors: Mapping[str, TextExtractor],
) -> Floats:
    """Similarity (-1 to 1) of the listings of categories, shape (source's, taxonomy's).

    ``source_groups`` are the indices in ``source_texts`` of each source category's listings, ``taxonomy_groups`` those
    in ``taxonomy_texts`` of each category of the taxonomy and below. The mean over the extractors, which are fitted;
    0 without listings.
    """
    shape = (len(source_groups), len(taxonomy_groups))
    if not source_texts or not taxonomy_texts or not extractors:
        return np.zeros(shape, np.float32)
    source_means, taxonomy_means = (
        _means(source_groups, len(source_texts)),
        _means(taxonomy_groups, len(taxonomy_texts)),
    )
    filled = np.array([len(group) > 0 for group in taxonomy_groups])
    total = np.zeros(shape, np.float32)
    for extractor in extractors.values():
        taxonomy_vectors = (taxonomy_means @ extractor.transform(taxonomy_texts))[filled]
        total[:, filled] += _centred_cosines(source_means @ extractor.transform(source_texts), taxonomy_vectors)
    return np.asarray(total / len(extractors), np.float32)


def _stems(words: str) -> str:
    return " ".join(text_cleaning.stem(word) for word in text_cleaning.words(words))


def _means(taxonomy_groups: Sequence[Any], count: int) -> Any:
    """A sparse matrix (groups, count) that takes the mean of the members of each group."""
    rows = np.repeat(np.arange(len(taxonomy_groups)), [len(group) for group in taxonomy_groups])
    columns = (
        np.concatenate([np.asarray(group, np.int64) for group in taxonomy_groups])
        if len(rows)
        else np.zeros(0, np.int64)
    )
    shares = np.repeat(
        [1.0 / max(len(group), 1) for group in taxonomy_groups], [len(group) for group in taxonomy_groups]
    )
    return sp.csr_matrix((shares.astype(np.float32), (rows, columns)), shape=(len(taxonomy_groups), count))


def _centred_cosines(source_rows: Matrix, taxonomy_rows: Matrix) -> Floats:
    """Cosines of the rows less the mean row of ``taxonomy_rows``, computed without making sparse rows dense."""
    mean = np.asarray(taxonomy_rows.mean(axis=0), np.float32).ravel()
    source_on_mean, taxonomy_on_mean = np.asarray(source_rows @ mean).ravel(), np.asarray(taxonomy_rows @ mean).ravel()
    mean_square = float(mean @ mean)
    products = _dense(source_rows @ taxonomy_rows.T) - source_on_mean[:, None] - taxonomy_on_mean[None, :] + mean_square
    lengths = [
        np.sqrt(np.maximum(_squares(rows) - 2 * on_mean + mean_square, 1e-12))
        for rows, on_mean in ((source_rows, source_on_mean), (taxonomy_rows, taxonomy_on_mean))
    ]
    return np.asarray(products / (lengths[0][:, None] * lengths[1][None, :]), np.float32)


def _squares(rows: Matrix) -> Floats:
    return np.asarray(rows.multiply(rows).sum(axis=1) if sp.issparse(rows) else (rows * rows).sum(axis=1)).ravel()


def _dense(matrix: Matrix) -> Floats:
    return np.asarray(matrix.todense() if sp.issparse(matrix) else matrix, np.float32)


def _cosines(one: Matrix, other: Matrix) -> Floats:
    lengths = [np.sqrt(np.maximum(_squares(rows), 1e-18)) for rows in (one, other)]
    return np.asarray(_dense(one @ other.T) / (lengths[0][:, None] * lengths[1][None, :]), np.float32)
