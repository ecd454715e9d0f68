"""Term counts: lists of terms in, a sparse matrix of counts out, over a vocabulary learned from the catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from pipeline.features.extractor import Matrix

Terms = Sequence[str]


def ngrams(phrases: Iterable[Sequence[str]], longest: int = 2) -> list[str]:
    """Every run of 1 to ``longest`` words that lies within one phrase, joined by a space."""
    return [
        " ".join(phrase[start : start + length])
        for phrase in phrases
        for length in range(1, longest + 1)
        for start in range(len(phrase) - length + 1)
    ]


def letter_grams(words: Iterable[str], shortest: int = 3, longest: int = 5) -> list[str]:
    """Runs of letters within each word, its ends marked by spaces: robust to typing errors and inflection."""
    return [
        padded[start : start + length]
        for padded in (f" {word} " for word in words)
        for length in range(shortest, longest + 1)
        for start in range(len(padded) - length + 1)
    ]


class Vocabulary(NamedTuple):
    """Terms in alphabetical order, and the number of documents each occurs in."""

    terms: list[str]
    document_frequency: dict[str, int]


class DocumentFrequencies:
    """Document frequencies of terms, counted a few documents at a time and in bounded memory.

    Beyond ``most`` terms, those seen once so far are dropped: in a catalogue that large, a term worth learning
    comes again soon (lossy counting, Manku and Motwani 2002).
    """

    def __init__(self, most: int = 1_500_000) -> None:
        self.documents = 0
        self._most = most
        self._found: Counter[str] = Counter()

    def add(self, documents: Sequence[Terms]) -> None:
        """Count more documents."""
        self.documents += len(documents)
        for document in documents:
            self._found.update(set(document))
        if len(self._found) > self._most:
            self._found = Counter({term: count for term, count in self._found.items() if count > 1})

    def vocabulary(self, least: int, most_share: float, limit: int) -> Vocabulary:
        """As ``learn_vocabulary``."""
        # In a handful of listings no phrase can be called a habit of the shop.
        most = most_share * self.documents if self.documents >= 20 else self.documents
        kept = [(term, count) for term, count in self._found.items() if least <= count <= most]
        if len(kept) > limit:
            kept = sorted(kept, key=lambda pair: (-pair[1], pair[0]))[:limit]
        return Vocabulary(sorted(term for term, _ in kept), dict(kept))


def learn_vocabulary(documents: Sequence[Terms], least: int, most_share: float, limit: int) -> Vocabulary:
    """The terms of at least ``least`` documents and at most ``most_share`` of them.

    A term of nearly every listing of a catalogue (the shop's own phrases) separates no categories. When more than
    ``limit`` are left, the most frequent stay.
    """
    frequencies = DocumentFrequencies()
    frequencies.add(documents)
    return frequencies.vocabulary(least, most_share, limit)


def count_terms(documents: Sequence[Terms], vocabulary: dict[str, int]) -> Matrix:
    """CSR float32, shape (documents, vocabulary): how often each known term occurs in each document."""
    indices: list[int] = []
    values: list[int] = []
    row_ends = [0]
    for document in documents:
        found = Counter(column for term in document if (column := vocabulary.get(term)) is not None)
        for column in sorted(found):
            indices.append(column)
            values.append(found[column])
        row_ends.append(len(indices))
    return sp.csr_matrix(
        (np.array(values, np.float32), np.array(indices, np.int32), np.array(row_ends, np.int64)),
        shape=(len(documents), len(vocabulary)),
    )


def unit_rows(matrix: Matrix) -> Matrix:
    """Each row of a CSR matrix divided by its length; rows of zeros stay.

    Computed on the arrays, as in ``stack_columns``: for a single listing scipy's own products are mostly overhead.
    """
    rows = _row_of_each(matrix)
    lengths = np.sqrt(np.bincount(rows, np.square(matrix.data, dtype=np.float64), minlength=matrix.shape[0]))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(np.float32)
    return sp.csr_matrix((matrix.data * scale[rows], matrix.indices, matrix.indptr), shape=matrix.shape)


def stack_columns(blocks: Sequence[Matrix]) -> Matrix:
    """CSR matrices of the same rows as one, their columns one after the other."""
    rows = np.concatenate([_row_of_each(block) for block in blocks])
    starts = np.cumsum([0, *(block.shape[1] for block in blocks)])
    columns = np.concatenate([block.indices + start for block, start in zip(blocks, starts, strict=False)])
    order = np.argsort(rows, kind="stable")
    count = blocks[0].shape[0]
    row_ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
    data = np.concatenate([block.data for block in blocks])[order]
    return sp.csr_matrix((data, columns[order], row_ends), shape=(count, int(starts[-1])))


def _row_of_each(matrix: Matrix) -> NDArray[np.int64]:
    """The row of each entry of a CSR matrix."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
