"""Views of a listing's evidence: its text as a whole, its words (name and description) alone, its attributes alone.

Each view is judged by an estimator of its own, so that a listing without attributes is not judged by one that leans on
them; where a listing has both, the three judgements are pooled. A photo has one view, the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from pipeline.classification.photo_reader import DescribedListing, feature_vector
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import ImageExtractor, Matrix, TextExtractor

Extractors = Mapping[str, TextExtractor | ImageExtractor]
Flags = NDArray[np.bool_]


class View(StrEnum):
    """What of the evidence is looked at."""

    WHOLE = "whole"
    WORDS = "words"
    ATTRIBUTES = "attributes"


# Which judgements are pooled, by what a listing has. A part that was not split has the whole only.
POOLED_VIEWS: dict[str, tuple[View, ...]] = {
    "whole": (View.WHOLE,),
    "words": (View.WORDS,),
    "attributes": (View.ATTRIBUTES,),
    "both": (View.WORDS, View.ATTRIBUTES, View.WHOLE),
}


@dataclass(frozen=True, slots=True)
class EvidenceFeatures:
    """``vectors`` of shape (n, d) by view and extractor, zeros where there is nothing; ``has``, (n,), by view."""

    vectors: Mapping[View, Mapping[str, Matrix]]
    has: Mapping[View, Flags]

    @property
    def usable(self) -> Flags:
        """Which listings have anything to judge by."""
        return self.has[View.WHOLE]

    def whole(self) -> EvidenceFeatures:
        """The same without its two sides."""
        return EvidenceFeatures({View.WHOLE: self.vectors[View.WHOLE]}, {View.WHOLE: self.usable})

    def rows(self, chosen: NDArray[np.int64]) -> EvidenceFeatures:
        """The same of some listings, by their indices."""
        vectors = {view: {name: rows[chosen] for name, rows in named.items()} for view, named in self.vectors.items()}
        return EvidenceFeatures(vectors, {view: flags[chosen] for view, flags in self.has.items()})

    def situations(self) -> dict[str, Flags]:
        """Which listings, of shape (n,), are judged by which of the SPEAKERS; each usable one by exactly one."""
        if View.WORDS not in self.has:
            return {"whole": self.usable}
        words, attributes = self.has[View.WORDS], self.has[View.ATTRIBUTES]
        return {"words": words & ~attributes, "attributes": attributes & ~words, "both": words & attributes}


def text_features(extractors: Extractors, evidences: Sequence[Evidence], split: bool) -> EvidenceFeatures:
    """The texts as a whole and, when ``split``, their two sides; a listing has what some word known to it stands in."""
    whole = _transformed(extractors, evidences)
    if not split:
        return EvidenceFeatures({View.WHOLE: whole}, {View.WHOLE: _known(whole)})
    having = np.array([bool(evidence.attributes) for evidence in evidences], bool)
    if having.any():
        words = _transformed(extractors, [replace(evidence, attributes={}) for evidence in evidences])
        attributes = _transformed(extractors, [replace(evidence, name="", description="") for evidence in evidences])
    else:
        words, attributes = whole, {name: csr_matrix(rows.shape, dtype=np.float32) for name, rows in whole.items()}
    vectors = {View.WHOLE: whole, View.WORDS: words, View.ATTRIBUTES: attributes}
    has = {View.WORDS: _known(words), View.ATTRIBUTES: _known(attributes) & having}
    return EvidenceFeatures(vectors, {**has, View.WHOLE: has[View.WORDS] | has[View.ATTRIBUTES]})


def photo_features(extractors: Extractors, readings: Sequence[DescribedListing]) -> EvidenceFeatures:
    """The photos that could be read; without any, there are no vectors."""
    has = np.array([reading.described is not None for reading in readings], bool)
    vectors: dict[str, Matrix] = {}
    for name, extractor in extractors.items():
        rows: list[NDArray[Any]] = [
            feature_vector(cast(ImageExtractor, extractor), reading.described[name])
            for reading in readings
            if reading.described
        ]
        if rows:
            vectors[name] = np.zeros((len(readings), len(rows[0])), np.float32)
            vectors[name][has] = np.stack(rows)
    return EvidenceFeatures({View.WHOLE: vectors}, {View.WHOLE: has})


def concatenate_features(vectors: Mapping[str, Matrix]) -> Matrix:
    """One matrix of the vectors of all extractors, scaled so that rows of unit vectors stay unit vectors."""
    blocks = list(vectors.values())
    if len(blocks) == 1:
        return blocks[0]
    dense = [block.toarray() if issparse(block) else np.asarray(block) for block in blocks]
    return np.concatenate(dense, axis=1) / np.float32(np.sqrt(len(blocks)))


def _transformed(extractors: Extractors, evidences: Sequence[Evidence]) -> dict[str, Matrix]:
    return {name: cast(TextExtractor, extractor).transform(evidences) for name, extractor in extractors.items()}


def _known(vectors: Mapping[str, Matrix]) -> Flags:
    known: Flags = np.any([_any(rows) for rows in vectors.values()], axis=0)
    return known


def _any(rows: Matrix) -> Flags:
    """Which rows are not of zeros only; no extractor writes zeros into a sparse one."""
    known = np.diff(rows.tocsr().indptr) if issparse(rows) else np.asarray(rows).any(axis=1)
    return np.asarray(known > 0, bool)
