"""Sparse matrices of term counts, over a vocabulary learned from the catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from pipeline.features.extractor import Matrix

Terms = Sequence[str]


def ngrams(phrases: Iterable[Sequence[str]], max_length: int = 2) -> list[str]:
    """Every run of 1 to ``max_length`` words that lies within one phrase, joined by a space."""
    return [
        " ".join(phrase[start : start + length])
        for phrase in phrases
        for length in range(1, max_length + 1)
        for start in range(len(phrase) - length + 1)
    ]


def letter_grams(words: Iterable[str], min_length: int = 3, max_length: int = 5) -> list[str]:
    """Character n-grams within each word, its ends marked by spaces: robust to typing errors and inflection."""
    return [
        padded[start : start + length]
        for padded in (f" {word} " for word in words)
        for length in range(min_length, max_length + 1)
        for start in range(len(padded) - length + 1)
    ]


class Vocabulary(NamedTuple):
    """Terms in alphabetical order, and the number of documents each occurs in."""

    terms: list[str]
    document_frequency: dict[str, int]


class DocumentFrequencies:
    """Document frequencies of terms, counted a few documents at a time and in bounded memory.

    Beyond ``max_terms`` terms, those seen only once so far are dropped: in a catalogue that large, a term worth
    learning soon occurs again (lossy counting, Manku and Motwani 2002).
    """

    def __init__(self, max_terms: int = 1_500_000) -> None:
        self.documents = 0
        self._max_terms = max_terms
        self._frequencies: Counter[str] = Counter()

    def add(self, documents: Sequence[Terms]) -> None:
        """Count more documents."""
        self.documents += len(documents)
        for document in documents:
            self._frequencies.update(set(document))
        if len(self._frequencies) > self._max_terms:
            self._frequencies = Counter({term: count for term, count in self._frequencies.items() if count > 1})

    def vocabulary(self, min_documents: int, max_share: float, max_terms: int) -> Vocabulary:
        """See ``learn_vocabulary``."""
        # With so few listings, a frequent phrase need not be the shop's.
        max_documents = max_share * self.documents if self.documents >= 20 else self.documents
        frequent = [
            (term, count) for term, count in self._frequencies.items() if min_documents <= count <= max_documents
        ]
        if len(frequent) > max_terms:
            frequent = sorted(frequent, key=lambda pair: (-pair[1], pair[0]))[:max_terms]
        return Vocabulary(sorted(term for term, _ in frequent), dict(frequent))


def learn_vocabulary(documents: Sequence[Terms], min_documents: int, max_share: float, max_terms: int) -> Vocabulary:
    """The terms of at least ``min_documents`` documents and at most ``max_share`` of them.

    A term in nearly every listing of a catalogue (the shop's own phrases) separates no categories. If more than
    ``max_terms`` remain, the most frequent are kept.
    """
    frequencies = DocumentFrequencies()
    frequencies.add(documents)
    return frequencies.vocabulary(min_documents, max_share, max_terms)


def count_terms(documents: Sequence[Terms], vocabulary: dict[str, int]) -> Matrix:
    """CSR float32, shape (documents, vocabulary): how often each known term occurs in each document."""
    indices: list[int] = []
    values: list[int] = []
    row_ends = [0]
    for document in documents:
        counts = Counter(column for term in document if (column := vocabulary.get(term)) is not None)
        for column in sorted(counts):
            indices.append(column)
            values.append(counts[column])
        row_ends.append(len(indices))
    return sp.csr_matrix(
        (np.array(values, np.float32), np.array(indices, np.int32), np.array(row_ends, np.int64)),
        shape=(len(documents), len(vocabulary)),
    )


def unit_rows(matrix: Matrix) -> Matrix:
    """Divide each row of a CSR matrix by its length; rows of zeros stay zero.

    Works on the arrays directly, as ``stack_columns`` does: for a single listing, scipy's operations are mostly
    overhead.
    """
    rows = _row_indices(matrix)
    lengths = np.sqrt(np.bincount(rows, np.square(matrix.data, dtype=np.float64), minlength=matrix.shape[0]))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(np.float32)
    return sp.csr_matrix((matrix.data * scale[rows], matrix.indices, matrix.indptr), shape=matrix.shape)


def stack_columns(blocks: Sequence[Matrix]) -> Matrix:
    """Concatenate CSR matrices with the same rows horizontally."""
    rows = np.concatenate([_row_indices(block) for block in blocks])
    starts = np.cumsum([0, *(block.shape[1] for block in blocks)])
    columns = np.concatenate([block.indices + start for block, start in zip(blocks, starts, strict=False)])
    order = np.argsort(rows, kind="stable")
    count = blocks[0].shape[0]
    row_ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
    data = np.concatenate([block.data for block in blocks])[order]
    return sp.csr_matrix((data, columns[order], row_ends), shape=(count, int(starts[-1])))


def _row_indices(matrix: Matrix) -> NDArray[np.int64]:
    """The row index of each stored entry of a CSR matrix."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
