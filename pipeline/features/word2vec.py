"""Word2Vec trained on the catalogue itself: words with similar neighbours have similar vectors.

Skip-gram with negative sampling (Mikolov et al. 2013, arXiv:1310.4546) by gensim. The vector of a listing is the sum of
its words' unit vectors, weighted by inverse document frequency and the logarithm of the count, normalised to length 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.listing import Evidence
from pipeline.features import boilerplate, term_counts, text_cleaning
from pipeline.features.extractor import ExtractorSettings, State, Vectors, check_state
from pipeline.features.tfidf import MAX_ATTRIBUTES

_TRAINING_WORDS = 2_000_000  # words over all epochs, after which the vectors have converged


class Word2Vec(ExtractorSettings):
    """Rows are unit vectors of ``width`` numbers; zeros if no word is known.

    A word is learned if it occurs in at least ``least`` listings and at most ``most_share`` of them; ``limit`` is the
    maximum number of words. ``window`` words on each side are neighbours, ``negative`` is the number of negative
    samples, ``epochs`` the maximum number of passes over the texts. Learns ``phrases_``, ``terms_``, ``rarity_`` and
    ``vectors_``.
    """

    version: ClassVar[int] = 1

    def __init__(
        self,
        width: int = 100,
        window: int = 5,
        negative: int = 10,
        epochs: int = 20,
        least: int = 2,
        most_share: float = 0.5,
        limit: int = 50_000,
        seed: int = 0,
    ) -> None:
        self.width = width
        self.window = window
        self.negative = negative
        self.epochs = epochs
        self.least = least
        self.most_share = most_share
        self.limit = limit
        self.seed = seed

    def fit(self, evidences: Sequence[Evidence]) -> Self:
        """Learn a vector for each word; the same listings and seed give the same vectors (one thread)."""
        self.phrases_ = frozenset(boilerplate.learn_phrases(evidences, self.seed))
        documents = [self._stems(evidence) for evidence in evidences]
        self.terms_, document_frequency = term_counts.learn_vocabulary(
            documents, self.least, self.most_share, self.limit
        )
        frequency = np.array([document_frequency[term] for term in self.terms_], np.float64)
        self.rarity_ = np.log((1 + len(documents)) / (1 + frequency)).astype(np.float32)
        self.vectors_ = self._train(documents)
        self._index_terms()
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Vectors:
        """float32, shape (n, width)."""
        rows = np.zeros((len(evidences), self.width), np.float32)
        for row, evidence in zip(rows, evidences, strict=True):
            counts = Counter(
                column for word in self._stems(evidence) if (column := self._columns.get(word)) is not None
            )
            if counts:
                columns = sorted(counts)
                log_counts = 1.0 + np.log(np.array([counts[column] for column in columns], np.float32))
                row[:] = (log_counts * self.rarity_[columns]) @ self.vectors_[columns]
                row /= max(float(np.linalg.norm(row)), 1e-9)
        return rows

    def fit_transform(self, evidences: Sequence[Evidence]) -> Vectors:
        """``fit`` and ``transform`` of the same listings."""
        return self.fit(evidences).transform(evidences)

    def state(self) -> State:
        """Settings, words and phrases as JSON, ``rarity_`` and ``vectors_`` as arrays; restoring needs no gensim."""
        return {
            "kind": "word2vec",
            "version": self.version,
            "settings": self.get_params(),
            "terms": self.terms_,
            "phrases": sorted(list(phrase) for phrase in self.phrases_),
            "rarity": self.rarity_,
            "vectors": self.vectors_,
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the fitted extractor; BadArtefact if the state is of another one."""
        check_state(state, "word2vec", cls.version)
        extractor = cls(**state["settings"])
        extractor.terms_ = list(state["terms"])
        extractor.phrases_ = frozenset(tuple(phrase) for phrase in state["phrases"])
        extractor.rarity_ = np.asarray(state["rarity"], np.float32)
        extractor.vectors_ = np.asarray(state["vectors"], np.float32)
        extractor._index_terms()
        return extractor

    def _train(self, documents: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        from gensim.models import Word2Vec as Gensim

        vocabulary = set(self.terms_)
        sentences = [
            known_words for document in documents if (known_words := [word for word in document if word in vocabulary])
        ]
        vectors = np.zeros((len(self.terms_), self.width), np.float32)
        if not sentences:
            return vectors
        max_epochs = _TRAINING_WORDS // max(sum(len(sentence) for sentence in sentences), 1)
        model = Gensim(
            sentences,
            vector_size=self.width,
            window=self.window,
            sg=1,
            negative=self.negative,
            min_count=1,
            epochs=int(np.clip(max_epochs, 3, self.epochs)),
            seed=self.seed + 1,
            workers=1,
        )
        for row, term in enumerate(self.terms_):
            if term in model.wv:
                vector = model.wv[term]
                vectors[row] = vector / max(float(np.linalg.norm(vector)), 1e-9)
        return vectors

    def _stems(self, evidence: Evidence) -> list[str]:
        description = boilerplate.strip_phrases(text_cleaning.words(evidence.description), self.phrases_)
        values = islice(evidence.attributes.values(), MAX_ATTRIBUTES)
        words = [
            *text_cleaning.words(evidence.name),
            *description,
            *(word for value in values for word in text_cleaning.words(value)),
        ]
        return [text_cleaning.stem(word) for word in words]

    def _index_terms(self) -> None:
        self._columns = {term: column for column, term in enumerate(self.terms_)}
