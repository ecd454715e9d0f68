"""Views of a listing's evidence: the text as a whole, its words (name and description), its attributes; the photo.

Each view has its own estimator, so that a listing without attributes is not scored by an estimator that relies on
them; where a listing has words and attributes, all three are pooled. A photo has one view, the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from pipeline.classification.photo_reader import DescribedListing, feature_vector
from pipeline.domain.listing import Evidence
from pipeline.features.extractor import Floats, ImageExtractor, Mask, Matrix, TextExtractor

Extractors = Mapping[str, TextExtractor | ImageExtractor]


@runtime_checkable
class KnowsWords(Protocol):
    """A text extractor that can say how much of a text it has learned."""

    def known_shares(self, evidences: Sequence[Evidence]) -> Floats:
        """The share of each listing's words that were learned, (n,)."""
        ...


class View(StrEnum):
    """A part of the evidence that has its own estimator."""

    WHOLE = "whole"
    WORDS = "words"
    ATTRIBUTES = "attributes"


class EvidenceCase(StrEnum):
    """The evidence that a listing is scored by; WHOLE where the model does not split the text.

    ENCODED is a text that only the pretrained encoder understands: one in another language, say.
    """

    WHOLE = "whole"
    WORDS = "words"
    ATTRIBUTES = "attributes"
    BOTH = "both"
    ENCODED = "encoded"


MIN_KNOWN_SHARE = 0.4  # of a text's words that the training listings have; below it the encoder alone scores the text
# The views whose scores are pooled, by case; that of ENCODED is ``EvidenceFeatures.encoded_view``.
POOLED_VIEWS: dict[EvidenceCase, tuple[View, ...]] = {
    EvidenceCase.WHOLE: (View.WHOLE,),
    EvidenceCase.WORDS: (View.WORDS,),
    EvidenceCase.ATTRIBUTES: (View.ATTRIBUTES,),
    EvidenceCase.BOTH: (View.WORDS, View.ATTRIBUTES, View.WHOLE),
}


@dataclass(frozen=True, slots=True)
class EvidenceFeatures:
    """``vectors`` (n, d) by view and extractor, zeros where there is no evidence; ``has`` (n,), by view, marks it.

    ``encoded`` (n, d), by view, are the vectors of a pretrained text encoder; ``foreign`` (n,) marks the
    texts most of whose words no other extractor has learned, None if there is no such text.
    """

    vectors: Mapping[View, Mapping[str, Matrix]]
    has: Mapping[View, Mask]
    encoded: Mapping[View, Floats] = field(default_factory=dict)
    foreign: Mask | None = None

    @property
    def usable(self) -> Mask:
        """The listings that have any evidence, (n,)."""
        return self.has[View.WHOLE]

    @property
    def whole_vectors(self) -> Mapping[str, Matrix]:
        """The vectors (n, d) of the view WHOLE, by extractor."""
        return self.vectors[View.WHOLE]

    def whole(self) -> EvidenceFeatures:
        """A copy without the views WORDS and ATTRIBUTES."""
        rows = self.encoded.get(View.WHOLE, self.encoded.get(View.WORDS))
        encoded = {} if rows is None else {View.WHOLE: rows}
        whole = {View.WHOLE: self.vectors[View.WHOLE]}
        return EvidenceFeatures(whole, {View.WHOLE: self.usable}, encoded, self.foreign)

    def without_encoder(self) -> EvidenceFeatures:
        """A copy without the vectors of the encoder, and without evidence that only it knows."""
        has = {view: _any_known(by_extractor) for view, by_extractor in self.vectors.items()}
        return EvidenceFeatures(self.vectors, has)

    def subset(self, indices: NDArray[np.int64]) -> EvidenceFeatures:
        """The features of the listings with these indices."""
        vectors = {
            view: {name: rows[indices] for name, rows in by_extractor.items()}
            for view, by_extractor in self.vectors.items()
        }
        encoded = {view: rows[indices] for view, rows in self.encoded.items()}
        foreign = None if self.foreign is None else self.foreign[indices]
        return EvidenceFeatures(vectors, {view: mask[indices] for view, mask in self.has.items()}, encoded, foreign)

    def of_extractors(self, names: Sequence[str]) -> EvidenceFeatures:
        """A copy with only the view WHOLE of these extractors."""
        return EvidenceFeatures(
            {View.WHOLE: {name: self.whole_vectors[name] for name in names if name in self.whole_vectors}},
            {View.WHOLE: self.usable},
        )

    @property
    def encoded_view(self) -> View:
        """The view whose encoded text is scored where the encoder alone understands it."""
        return View.WORDS if View.WORDS in self.encoded else View.WHOLE

    def cases(self) -> dict[EvidenceCase, Mask]:
        """The listings of each case, (n,); every usable listing is in exactly one."""
        cases = self._cases_by_view()
        if self.foreign is None or not self.encoded:
            return cases
        encoded: Mask = self.foreign & self.encoded[self.encoded_view].any(axis=1)
        if View.ATTRIBUTES in self.has:
            encoded &= ~self.has[View.ATTRIBUTES]  # known attributes say more than unknown words
        return {case: rows & ~encoded for case, rows in cases.items()} | {EvidenceCase.ENCODED: encoded}

    def _cases_by_view(self) -> dict[EvidenceCase, Mask]:
        if View.WORDS not in self.has:
            return {EvidenceCase.WHOLE: self.usable}
        words, attributes = self.has[View.WORDS], self.has[View.ATTRIBUTES]
        return {
            EvidenceCase.WORDS: words & ~attributes,
            EvidenceCase.ATTRIBUTES: attributes & ~words,
            EvidenceCase.BOTH: words & attributes,
        }


def text_features(
    extractors: Extractors,
    evidences: Sequence[Evidence],
    *,
    split: bool,
    encoder: TextExtractor | None = None,
    encoded_views: Sequence[View] = (),
) -> EvidenceFeatures:
    """The features of texts as a whole and, when ``split``, of their words and attributes.

    ``encoder`` encodes the ``encoded_views``, of which ATTRIBUTES cannot be one. A listing has a view when an extractor
    or the encoder knows a word of it.
    """
    whole = _transform(extractors, evidences)
    without_attributes = [replace(evidence, attributes={}) for evidence in evidences] if split else []
    encoded: dict[View, Floats] = {}
    if encoder is not None and encoded_views:
        views = {View.WHOLE: evidences, View.WORDS: without_attributes}
        # All at once, since the encoder computes the vectors of the same name only once.
        rows = np.asarray(encoder.transform([each for view in encoded_views for each in views[view]]), np.float32)
        encoded = dict(zip(encoded_views, np.split(rows, len(encoded_views)), strict=True))
    foreign = _foreign(extractors, evidences) if encoded else None
    encoded_rows = {view: {"": rows} for view, rows in encoded.items()}
    if not split:
        has_whole = _any_known(whole | encoded_rows.get(View.WHOLE, {}))
        return EvidenceFeatures({View.WHOLE: whole}, {View.WHOLE: has_whole}, encoded, foreign)
    has_attributes = np.array([bool(evidence.attributes) for evidence in evidences], bool)
    if has_attributes.any():
        words = _transform(extractors, without_attributes)
        attributes = _transform(extractors, [replace(evidence, name="", description="") for evidence in evidences])
    else:
        words, attributes = whole, {name: csr_matrix(rows.shape, dtype=np.float32) for name, rows in whole.items()}
    vectors = {View.WHOLE: whole, View.WORDS: words, View.ATTRIBUTES: attributes}
    has_words = _any_known(words | encoded_rows.get(View.WORDS, {}))
    has = {View.WORDS: has_words, View.ATTRIBUTES: _any_known(attributes) & has_attributes}
    return EvidenceFeatures(vectors, {**has, View.WHOLE: has[View.WORDS] | has[View.ATTRIBUTES]}, encoded, foreign)


def photo_features(extractors: Extractors, listings: Sequence[DescribedListing]) -> EvidenceFeatures:
    """The features of the photos that could be read; no vectors if none could."""
    has = np.array([listing.descriptors is not None for listing in listings], bool)
    vectors: dict[str, Matrix] = {}
    for name, extractor in extractors.items():
        rows: list[NDArray[Any]] = [
            feature_vector(cast(ImageExtractor, extractor), listing.descriptors[name])
            for listing in listings
            if listing.descriptors
        ]
        if rows:
            vectors[name] = np.zeros((len(listings), len(rows[0])), np.float32)
            vectors[name][has] = np.stack(rows)
    return EvidenceFeatures({View.WHOLE: vectors}, {View.WHOLE: has})


def concatenate_features(vectors: Mapping[str, Matrix]) -> Matrix:
    """Concatenate the vectors of all extractors, scaled so that unit rows stay unit rows."""
    blocks = list(vectors.values())
    if len(blocks) == 1:
        return blocks[0]
    dense = [block.toarray() if issparse(block) else np.asarray(block) for block in blocks]
    return np.concatenate(dense, axis=1) / np.float32(np.sqrt(len(blocks)))


def _foreign(extractors: Extractors, evidences: Sequence[Evidence]) -> Mask | None:
    """Mask (n,) of the texts of whose words less than MIN_KNOWN_SHARE were learned; None if no extractor can say."""
    shares = [each.known_shares(evidences) for each in extractors.values() if isinstance(each, KnowsWords)]
    return np.max(shares, axis=0) < MIN_KNOWN_SHARE if shares else None


def _transform(extractors: Extractors, evidences: Sequence[Evidence]) -> dict[str, Matrix]:
    return {name: cast(TextExtractor, extractor).transform(evidences) for name, extractor in extractors.items()}


def _any_known(vectors: Mapping[str, Matrix]) -> Mask:
    """Mask (n,) of the rows that are not all zeros for at least one extractor."""
    known: Mask = np.any([_nonzero_rows(rows) for rows in vectors.values()], axis=0)
    return known


def _nonzero_rows(rows: Matrix) -> Mask:
    """Mask (n,) of the rows that are not all zeros; sparse matrices of extractors store no explicit zeros."""
    nonzero = np.diff(rows.tocsr().indptr) if issparse(rows) else np.asarray(rows).any(axis=1)
    return np.asarray(nonzero > 0, bool)
