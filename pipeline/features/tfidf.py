"""TF-IDF of words and word pairs, sublinear, with separate blocks for the name, its letters and the attributes.

Each block is a unit vector times its weight, and the whole row is a unit vector, so a listing with only a name is
represented by that name. Weighting: Salton and Buckley 1988; ``idf = 1 + ln((1 + n) / (1 + df))`` as in scikit-learn.

Cleaning removes words that say nothing about the product. With labels, some of them are useful (a shop describes its
towels and its saucepans with different templates), so ``as_typed`` adds the words as typed; without labels, clusters
would merely follow the templates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from pipeline.domain.listing import Evidence
from pipeline.features import term_counts, text_cleaning
from pipeline.features.extractor import ExtractorSettings, Floats, Matrix, State, check_state

MAX_ATTRIBUTES = 200
_BLOCK_WEIGHTS = {"words": 1.0, "name": 0.5, "letters": 0.5, "keys": 0.5}
_TYPED_BLOCK_WEIGHTS = {"typed": 1.0, "opening": 0.4}
_TYPED_WORD = re.compile(r"\w+")
_OPENING_WORDS = 5  # at the beginning of a description
ANY_NUMBER = "#"
_MAX_SHORT_TEXT = 100  # characters
_CHUNK_SIZE = 1_000  # listings whose terms are in memory at a time


class Tfidf(ExtractorSettings):
    """Rows are sparse unit vectors: ``words`` of everything, ``name`` and its ``letters``, ``keys`` of attributes.

    A term is learned if it occurs in at least ``least`` listings and at most ``most_share`` of them; a block keeps the
    ``limit`` most frequent. ``as_typed`` adds the blocks ``typed``, words and pairs without any cleaning, and
    ``opening``, n-grams of the first words of a description; in them each number is a term of its own if
    ``number_terms``, else all numbers outside attributes are one. Learns ``terms_`` and ``idf_``, by block.

    >>> rows = Tfidf(least=1).fit_transform([Evidence("Blue cotton curtain"), Evidence("Steel watch")])
    >>> rows.shape[0]
    2
    """

    version: ClassVar[int] = 2

    def __init__(
        self,
        least: int = 2,
        most_share: float = 0.8,
        limit: int = 50_000,
        *,
        as_typed: bool = False,
        number_terms: bool = True,
    ) -> None:
        self.least = least
        self.most_share = most_share
        self.limit = limit
        self.as_typed = as_typed
        self.number_terms = number_terms

    def fit(self, evidences: Sequence[Evidence]) -> Self:
        """Learn the vocabulary of each block and the inverse document frequency of each term."""
        frequencies_by_block = {block: term_counts.DocumentFrequencies() for block in self._terms([])}
        for start in range(0, len(evidences), _CHUNK_SIZE):
            for block, documents in self._terms(evidences[start : start + _CHUNK_SIZE]).items():
                frequencies_by_block[block].add(documents)
        self.terms_: dict[str, list[str]] = {}
        self.idf_: dict[str, np.ndarray] = {}
        for block, frequencies in frequencies_by_block.items():
            terms, document_frequency = frequencies.vocabulary(self.least, self.most_share, self.limit)
            frequency = np.array([document_frequency[term] for term in terms], np.float64)
            self.terms_[block] = terms
            self.idf_[block] = (1.0 + np.log((1 + frequencies.documents) / (1 + frequency))).astype(np.float32)
        self._index_terms()
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Matrix:
        """CSR float32, shape (n, terms of all blocks); a row of zeros if no term is known."""
        chunks = [self._rows(evidences[start : start + _CHUNK_SIZE]) for start in range(0, len(evidences), _CHUNK_SIZE)]
        return chunks[0] if len(chunks) == 1 else sp.vstack([self._rows([]), *chunks], format="csr")

    def _rows(self, evidences: Sequence[Evidence]) -> Matrix:
        blocks = []
        for block, documents in self._terms(evidences).items():
            counts = term_counts.count_terms(documents, self._columns[block])
            counts.data = (1.0 + np.log(counts.data)).astype(np.float32) * self.idf_[block][counts.indices]
            weighted = term_counts.unit_rows(counts)
            weighted.data *= np.float32((_BLOCK_WEIGHTS | _TYPED_BLOCK_WEIGHTS)[block])
            blocks.append(weighted)
        return term_counts.unit_rows(term_counts.stack_columns(blocks))

    def fit_transform(self, evidences: Sequence[Evidence]) -> Matrix:
        """``fit`` and ``transform`` of the same listings."""
        return self.fit(evidences).transform(evidences)

    def known_shares(self, evidences: Sequence[Evidence]) -> Floats:
        """The share of the words of name and description that were learned, (n,); 1 without words or ``as_typed``."""
        columns = self._columns.get("typed")
        shares = np.ones(len(evidences), np.float32)
        for row, evidence in enumerate(evidences):
            texts = evidence.name, evidence.description
            words = [word for text in texts for word in _typed_words(text, self.number_terms)]
            if words and columns is not None:
                shares[row] = sum(word in columns for word in words) / len(words)
        return shares

    def state(self) -> State:
        """Settings and vocabulary as JSON, ``idf_`` as arrays."""
        arrays = {f"idf_{block}": values for block, values in self.idf_.items()}
        return {"kind": "tfidf", "version": self.version, "settings": self.get_params(), "terms": self.terms_, **arrays}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the fitted extractor; BadArtefact if the state is of another one."""
        check_state(state, "tfidf", cls.version)
        extractor = cls(**state["settings"])
        extractor.terms_ = {block: list(terms) for block, terms in state["terms"].items()}
        extractor.idf_ = {block: np.asarray(state[f"idf_{block}"], np.float32) for block in extractor.terms_}
        extractor._index_terms()
        return extractor

    def _terms(self, evidences: Sequence[Evidence]) -> dict[str, list[list[str]]]:
        blocks = terms_by_block(evidences)
        if self.as_typed:
            # Word pairs are in the block ``typed``; here, stems merge inflected forms.
            blocks["words"] = [
                [text_cleaning.stem(term) for term in terms if " " not in term] for terms in blocks["words"]
            ]
            blocks |= typed_terms(evidences, number_terms=self.number_terms)
        return blocks

    def _index_terms(self) -> None:
        self._columns = {
            block: {term: column for column, term in enumerate(terms)} for block, terms in self.terms_.items()
        }


def terms_by_block(evidences: Sequence[Evidence]) -> dict[str, list[list[str]]]:
    """For each block, the terms of each listing, in the order of _BLOCK_WEIGHTS."""
    blocks: dict[str, list[list[str]]] = {block: [] for block in _BLOCK_WEIGHTS}
    for evidence in evidences:
        name = _phrases(evidence.name)
        all_phrases = name + _phrases(evidence.description)
        keys = []
        for key, value in islice(evidence.attributes.items(), MAX_ATTRIBUTES):
            all_phrases.extend(_phrases(value))
            keys.append(" ".join(word for phrase in _phrases(key) for word in phrase))
        blocks["words"].append(term_counts.ngrams(all_phrases))
        blocks["name"].append(term_counts.ngrams(name))
        blocks["letters"].append(term_counts.letter_grams(word for phrase in name for word in phrase))
        blocks["keys"].append([key for key in keys if key])
    return blocks


def _phrases(text: str) -> list[list[str]]:
    """``text_cleaning.phrases`` with a cache: attribute values recur, and folds and views read all texts again."""
    return (
        _short_phrases(text) if len(text) <= _MAX_SHORT_TEXT else _long_phrases(text[: text_cleaning.MAX_TEXT_LENGTH])
    )


@lru_cache(maxsize=20_000)
def _short_phrases(text: str) -> list[list[str]]:
    return text_cleaning.phrases(text)


@lru_cache(maxsize=2_000)
def _long_phrases(text: str) -> list[list[str]]:
    return text_cleaning.phrases(text)


def typed_terms(evidences: Sequence[Evidence], *, number_terms: bool) -> dict[str, list[list[str]]]:
    """The same for the blocks of _TYPED_BLOCK_WEIGHTS; name, description and each attribute are separate phrases."""
    blocks: dict[str, list[list[str]]] = {block: [] for block in _TYPED_BLOCK_WEIGHTS}
    for evidence in evidences:
        description = _typed_words(evidence.description, number_terms)
        attributes = islice(evidence.attributes.items(), MAX_ATTRIBUTES)
        phrases = [
            _typed_words(evidence.name, number_terms),
            description,
            *(_typed_words(f"{key} {value}") for key, value in attributes),
        ]
        blocks["typed"].append(term_counts.ngrams(phrases))
        blocks["opening"].append(term_counts.ngrams([description[:_OPENING_WORDS]], _OPENING_WORDS))
    return blocks


def _typed_words(text: str, number_terms: bool = True) -> list[str]:  # noqa: FBT001, FBT002  # called for every text
    return [
        word if number_terms or not word.isdigit() else ANY_NUMBER
        for word in _TYPED_WORD.findall(text[: text_cleaning.MAX_TEXT_LENGTH].casefold())
        if len(word) <= text_cleaning.MAX_WORD_LENGTH
    ]
