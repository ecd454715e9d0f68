"""Fit extractors on the training listings, and extract feature vectors with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.evidence_views import (
    EvidenceCase,
    EvidenceFeatures,
    Extractors,
    View,
    photo_features,
    text_features,
)
from pipeline.classification.photo_reader import AugmentedView, PhotoReader
from pipeline.classification.text_encoder import TextEncoder
from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.domain.extractors import extractor_spec
from pipeline.domain.listing import Evidence
from pipeline.domain.progress import Progress
from pipeline.domain.training import TrainingOptions
from pipeline.features import extractor as extractors_by_name
from pipeline.features.extractor import (
    ExtractorSettings,
    Floats,
    ImageExtractor,
    IncrementalExtractor,
    Mask,
    Matrix,
    TextExtractor,
    TwoStepExtractor,
)

MAX_FITTING_PHOTOS = 800  # photos that extractors are fitted on: bounds the memory of their descriptors
MIN_LISTINGS = 10  # listings with text (or photo), below which nothing is learned from it
MIN_LISTINGS_TO_ENCODE = 2  # the same where a pretrained extractor is installed
MIN_LISTINGS_TO_SPLIT = 60  # listings with words and attributes, below which these get no separate estimators
# Listings up to which the encoder reads attributes: what it knows of them helps when there is little to learn from, and
# takes as long as the rest of the text.
MAX_LISTINGS_TO_ENCODE_ATTRIBUTES = 2_000
ENCODER_SETTINGS = {"description_weight": 1.0, "attributes_weight": 0.5}  # for estimators that learn from labels
_CHUNK_SIZE = 64  # photos


class CachedTextExtractor:
    """A pretrained text extractor, which learns nothing from a catalogue; each text is encoded once for all folds."""

    def __init__(self, name: str, extractor: TextExtractor) -> None:
        self.name = name
        self._extractor = extractor
        self._vectors: dict[tuple[object, ...], NDArray[Any]] = {}

    def transform(self, evidences: Sequence[Evidence]) -> Matrix:
        """As ``TextExtractor.transform``."""
        texts = [_without_photo(evidence) for evidence in evidences]
        keys = [(text.name, text.description, tuple(text.attributes.items())) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors}
        if new:
            self._vectors.update(zip(new, np.asarray(self._extractor.transform(list(new.values()))), strict=True))
        return np.stack([self._vectors[key] for key in keys])


def cached_text_extractor(options: TrainingOptions) -> CachedTextExtractor | None:
    """The pretrained text extractor of the options, or else their encoder, to share between folds; None without either.

    Unavailable when the weights of the extractor are missing.
    """
    name = options.text_extractor
    if name is not None and extractor_spec(name).takes_weights:
        extractor = cast(TextExtractor, extractors_by_name.build_extractor(name, options.weights.get(name))).fit([])
        return CachedTextExtractor(name, extractor)
    encoder = find_text_encoder(options)
    return None if encoder is None else CachedTextExtractor(encoder.name, encoder.extractor)


def find_text_encoder(options: TrainingOptions, text_cache: CachedTextExtractor | None = None) -> TextEncoder | None:
    """The text encoder of the options, with the weights that are installed with Rayon.

    None if the options name none, if it is not installed, or beside another pretrained extractor.
    """
    name, extractor_name = options.text_encoder, options.text_extractor
    if name is None or extractor_name is None or extractor_spec(extractor_name).takes_weights:
        return None
    if bundled_weights(name) is None:
        return None  # other weights may be here, but not on every worker
    if text_cache is not None and text_cache.name == name:
        return TextEncoder(name, cast(TextExtractor, text_cache))
    try:
        extractor = cast(ExtractorSettings, extractors_by_name.build_extractor(name))
        extractor.set_params(
            **{key: ENCODER_SETTINGS[key] for key in extractor.get_params() if key in ENCODER_SETTINGS}
        )
        return TextEncoder(name, cast(TextExtractor, extractor).fit([]))
    except (Unavailable, BadArtefact):
        return None


def fit_text_extractor(
    evidences: Sequence[Evidence],
    options: TrainingOptions,
    text_cache: CachedTextExtractor | None = None,
    min_listings: int = MIN_LISTINGS,
) -> Extractors | None:
    """The text extractor of the options, fitted on the listings with a text; None if these are too few."""
    name = options.text_extractor
    with_text = [evidence for evidence in evidences if evidence.has_text]
    if name is None or len(with_text) < min_listings:
        return None
    if text_cache is not None and text_cache.name == name:
        return {name: cast(TextExtractor, text_cache)}
    extractor = cast(TextExtractor, extractors_by_name.build_extractor(name, options.weights.get(name)))
    if isinstance(extractor, ExtractorSettings) and "as_typed" in extractor.get_params():
        # In prose, a number by itself tells models and variants of a product apart, rarely categories.
        extractor.set_params(as_typed=True, number_terms=False)
    return {name: extractor.fit(with_text)}


def extract_text_features(
    extractors: Extractors,
    evidences: Sequence[Evidence],
    labels: NDArray[np.int64],
    encoder: TextEncoder | None = None,
) -> EvidenceFeatures:
    """The features of the training texts, split into words and attributes if enough listings have both."""
    few = len(evidences) <= MAX_LISTINGS_TO_ENCODE_ATTRIBUTES
    features = text_features(
        extractors,
        evidences,
        split=True,
        encoder=encoder.extractor if encoder else None,
        encoded_views=(View.WORDS, View.WHOLE) if few else (View.WORDS,),
    )
    features = replace(features, foreign=None)  # training listings have the words that are learned from them
    both = features.cases()[EvidenceCase.BOTH]
    if both.sum() < MIN_LISTINGS_TO_SPLIT or len(np.unique(labels[both])) < 2:
        return _with_whole_encoded(features.whole(), evidences, encoder if not few else None)
    return features


def _with_whole_encoded(
    features: EvidenceFeatures, evidences: Sequence[Evidence], encoder: TextEncoder | None
) -> EvidenceFeatures:
    """A copy whose encoded texts include attributes, as in serving, where only name and description were encoded."""
    rows = [index for index, evidence in enumerate(evidences) if evidence.attributes]
    if encoder is None or not rows or View.WHOLE not in features.encoded:
        return features
    encoded = features.encoded[View.WHOLE].copy()
    encoded[rows] = encoder.extractor.transform([evidences[row] for row in rows])
    return replace(features, encoded={View.WHOLE: encoded})


def fit_photo_extractors(
    evidences: Sequence[Evidence],
    reader: PhotoReader,
    seed: int,
    progress: Progress,
    previous: Mapping[str, ImageExtractor] | None = None,
) -> Extractors | None:
    """The reader's extractors, fitted on a sample of the photos; None when too few of these can be read.

    With fewer than MIN_LISTINGS photos, pretrained extractors only, which learn nothing from them. An extractor
    continues from the ``previous`` one of the same name if possible (``can_continue_from``). The previous ones are
    not changed.
    """
    with_photo = [index for index, evidence in enumerate(evidences) if evidence.photo is not None]
    pretrained = {
        name: extractor for name, extractor in reader.extractors.items() if not isinstance(extractor, TwoStepExtractor)
    }
    if len(with_photo) < (MIN_LISTINGS_TO_ENCODE if pretrained else MIN_LISTINGS) or not reader.extractors:
        return None
    sampled_indices = np.random.default_rng(seed).permutation(with_photo)[:MAX_FITTING_PHOTOS]
    sample = []
    for position, listing in enumerate(reader.describe_all([evidences[index] for index in sorted(sampled_indices)])):
        if listing.descriptors:
            sample.append(listing.descriptors)
        if position % _CHUNK_SIZE == 0:
            progress(0.9 * position / len(sampled_indices), f"looking at photos ({position} of {len(sampled_indices)})")
    if len(sample) < MIN_LISTINGS:
        return dict(pretrained) if pretrained and len(sample) >= MIN_LISTINGS_TO_ENCODE else None
    progress(0.9, "learning what photos look like")
    return {
        name: _fit_photo_extractor(
            name, unfitted, [descriptors[name] for descriptors in sample], (previous or {}).get(name)
        )
        for name, unfitted in reader.extractors.items()
    }


def _fit_photo_extractor(
    name: str, unfitted: ImageExtractor, sample: Sequence[NDArray[np.uint8]], previous: ImageExtractor | None
) -> ImageExtractor:
    if not isinstance(unfitted, TwoStepExtractor):
        return unfitted
    if previous is not None and can_continue_from(previous, unfitted):
        copy = cast(IncrementalExtractor, type(previous).from_state(previous.state()))
        copy.refit_descriptors(sample)
        return cast(ImageExtractor, copy)
    settings = cast(Any, unfitted).get_params()
    new_extractor = cast(TwoStepExtractor, extractors_by_name.load_extractor(name)(**settings))
    return cast(ImageExtractor, new_extractor.fit_descriptors(sample))


def can_continue_from(previous: ImageExtractor, unfitted: object) -> bool:
    """Whether fitting can continue from an extractor of an earlier training: an incremental one with equal settings."""
    if not isinstance(previous, IncrementalExtractor) or not isinstance(previous, type(unfitted)):
        return False
    return bool(cast(Any, previous).get_params() == cast(Any, unfitted).get_params())


def extract_photo_features(
    extractors: Extractors,
    evidences: Sequence[Evidence],
    reader: PhotoReader,
    progress: Progress,
    view: AugmentedView | None = None,
) -> EvidenceFeatures:
    """The features of all photos, or of one augmented ``view`` of each.

    Photos are read a few at a time, so that their descriptors are never all in memory.
    """
    chunks, masks = [], []
    listings = reader.describe_all(evidences, view)
    for start in range(0, len(evidences), _CHUNK_SIZE):
        progress(start / len(evidences), f"describing photos ({start} of {len(evidences)})")
        features = photo_features(extractors, list(islice(listings, _CHUNK_SIZE)))
        chunks.append({name: rows[features.usable] for name, rows in features.whole_vectors.items()})
        masks.append(features.usable)
    has = np.concatenate(masks) if masks else np.zeros(0, bool)
    stacked: Mapping[str, Matrix] = {
        name: _scatter_to_all_listings(np.concatenate([chunk[name] for chunk in chunks if chunk]), has)
        for name in extractors
        if any(chunks)
    }
    return EvidenceFeatures({View.WHOLE: stacked}, {View.WHOLE: has})


def _scatter_to_all_listings(rows: Floats, has: Mask) -> Floats:
    """Rows of the listings marked by ``has``, (n,), as rows of all listings; zeros for the others."""
    if has.all():
        return rows
    full = np.zeros((len(has), rows.shape[1]), np.float32)
    full[has] = rows
    return full


def _without_photo(evidence: Evidence) -> Evidence:
    return evidence if evidence.photo is None else replace(evidence, photo=None)
