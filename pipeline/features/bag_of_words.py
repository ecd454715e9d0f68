"""Bag of words: counts of the stems in a listing; the simplest text features, used as a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import ClassVar, Self

from pipeline.domain.listing import Evidence
from pipeline.features import term_counts, text_cleaning
from pipeline.features.extractor import ExtractorSettings, Matrix, State, check_state
from pipeline.features.tfidf import MAX_ATTRIBUTES


class BagOfWords(ExtractorSettings):
    """Counts of stems after cleaning; rows are unit vectors, so that long and short texts have equal weight.

    ``least``, ``most_share`` and ``limit`` as in ``Tfidf``. Learns ``terms_``.
    """

    version: ClassVar[int] = 1

    def __init__(self, least: int = 2, most_share: float = 0.8, limit: int = 50_000) -> None:
        self.least = least
        self.most_share = most_share
        self.limit = limit

    def fit(self, evidences: Sequence[Evidence]) -> Self:
        """Learn the vocabulary of stems."""
        documents = [_stems(evidence) for evidence in evidences]
        self.terms_, _ = term_counts.learn_vocabulary(documents, self.least, self.most_share, self.limit)
        return self

    def transform(self, evidences: Sequence[Evidence]) -> Matrix:
        """CSR float32, shape (n, terms); a row of zeros if no stem is known."""
        columns = {term: column for column, term in enumerate(self.terms_)}
        return term_counts.unit_rows(term_counts.count_terms([_stems(evidence) for evidence in evidences], columns))

    def fit_transform(self, evidences: Sequence[Evidence]) -> Matrix:
        """``fit`` and ``transform`` of the same listings."""
        return self.fit(evidences).transform(evidences)

    def state(self) -> State:
        """Settings and vocabulary, as JSON."""
        return {"kind": "bag_of_words", "version": self.version, "settings": self.get_params(), "terms": self.terms_}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore the fitted extractor; BadArtefact if the state is of another one."""
        check_state(state, "bag_of_words", cls.version)
        extractor = cls(**state["settings"])
        extractor.terms_ = list(state["terms"])
        return extractor


def _stems(evidence: Evidence) -> list[str]:
    texts = [evidence.name, evidence.description, *islice(evidence.attributes.values(), MAX_ATTRIBUTES)]
    return [text_cleaning.stem(word) for text in texts for word in text_cleaning.words(text)]
