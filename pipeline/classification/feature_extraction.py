"""From listings to feature vectors: fit extractors on the training listings, and extract features with them."""

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

FITTING_PHOTOS = 800  # that photo extractors are fitted on: bounds the memory of their descriptors
MIN_LISTINGS = 10  # with the evidence, below which nothing is learned from it
MIN_LISTINGS_TO_SPLIT = 60  # listings with words and attributes, below which these have no estimators of their own
_CHUNK = 64


class CachedTextExtractor:
    """A pretrained text extractor, which learns nothing from a catalogue: it encodes each text once for all folds."""

    def __init__(self, name: str, weights: str | None) -> None:
        self._extractor = cast(TextExtractor, extractors_by_name.build_extractor(name, weights)).fit([])
        self._known: dict[tuple[object, ...], NDArray[Any]] = {}

    def transform(self, evidences: Sequence[Evidence]) -> Matrix:
        """As the extractor does."""
        texts = [_without_photo(evidence) for evidence in evidences]
        keys = [(text.name, text.description, tuple(text.attributes.items())) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            self._known.update(zip(new, np.asarray(self._extractor.transform(list(new.values()))), strict=True))
        return np.stack([self._known[key] for key in keys])


def cached_text_extractor(options: TrainingOptions) -> CachedTextExtractor | None:
    """The pretrained text extractor of the options, to share between folds; None for one that learns from a catalogue.

    Unavailable when it lacks its weights.
    """
    name = options.text_extractor
    if name is None or not extractor_spec(name).takes_weights:
        return None
    return CachedTextExtractor(name, options.weights.get(name))


def fit_text_extractor(
    evidences: Sequence[Evidence], options: TrainingOptions, text_cache: CachedTextExtractor | None = None
) -> Extractors | None:
    """The text extractor of the options, fitted on the listings that have a text; None when they are too few."""
    name = options.text_extractor
    having = [evidence for evidence in evidences if evidence.has_text]
    if name is None or len(having) < MIN_LISTINGS:
        return None
    if text_cache is not None:
        return {name: cast(TextExtractor, text_cache)}
    extractor = cast(TextExtractor, extractors_by_name.build_extractor(name, options.weights.get(name)))
    if isinstance(extractor, ExtractorSettings) and "as_typed" in extractor.get_params():
        extractor.set_params(as_typed=True)
    return {name: extractor.fit(having)}


def extract_text_features(
    extractors: Extractors, evidences: Sequence[Evidence], labels: NDArray[np.int64]
) -> EvidenceFeatures:
    """The features of training texts, split into words and attributes when enough listings have both."""
    features = text_features(extractors, evidences, split=True)
    both = features.cases()[EvidenceCase.BOTH]
    if both.sum() < MIN_LISTINGS_TO_SPLIT or len(np.unique(labels[both])) < 2:
        return features.whole()
    return features


def fit_photo_extractors(
    evidences: Sequence[Evidence],
    reader: PhotoReader,
    seed: int,
    progress: Progress,
    previous: Mapping[str, ImageExtractor] | None = None,
) -> Extractors | None:
    """The reader's extractors, fitted on a sample of the photos; None when too few of these can be read.

    An extractor continues from the ``previous`` one of its name, where that can (``can_continue_from``). The previous
    ones stay as they are.
    """
    having = [index for index, evidence in enumerate(evidences) if evidence.photo is not None]
    if len(having) < MIN_LISTINGS or not reader.extractors:
        return None
    drawn = np.random.default_rng(seed).permutation(having)[:FITTING_PHOTOS]
    sample = []
    for count, listing in enumerate(reader.describe_all([evidences[index] for index in sorted(drawn)])):
        if listing.descriptors:
            sample.append(listing.descriptors)
        if count % _CHUNK == 0:
            progress(0.9 * count / len(drawn), f"looking at photos ({count} of {len(drawn)})")
    if len(sample) < MIN_LISTINGS:
        return None
    progress(0.9, "learning what photos look like")
    return {
        name: _fit_photo_extractor(name, unfitted, [each[name] for each in sample], (previous or {}).get(name))
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
    fresh = cast(TwoStepExtractor, extractors_by_name.load_extractor(name)(**settings))
    return cast(ImageExtractor, fresh.fit_descriptors(sample))


def can_continue_from(previous: ImageExtractor, unfitted: object) -> bool:
    """Whether fitting can continue from an extractor of an earlier training: an incremental one, of equal settings."""
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
    """The features of all photos, or of the same augmented ``view`` of each.

    A few at a time, so that their descriptors are never all in memory.
    """
    chunks, masks = [], []
    listings = reader.describe_all(evidences, view)
    for start in range(0, len(evidences), _CHUNK):
        progress(start / len(evidences), f"describing photos ({start} of {len(evidences)})")
        features = photo_features(extractors, list(islice(listings, _CHUNK)))
        chunks.append({name: rows[features.usable] for name, rows in features.whole_vectors.items()})
        masks.append(features.usable)
    has = np.concatenate(masks) if masks else np.zeros(0, bool)
    stacked: Mapping[str, Matrix] = {
        name: _spread(np.concatenate([chunk[name] for chunk in chunks if chunk]), has)
        for name in extractors
        if any(chunks)
    }
    return EvidenceFeatures({View.WHOLE: stacked}, {View.WHOLE: has})


def _spread(rows: Floats, has: Mask) -> Floats:
    if has.all():
        return rows
    full = np.zeros((len(has), rows.shape[1]), np.float32)
    full[has] = rows
    return full


def _without_photo(evidence: Evidence) -> Evidence:
    return evidence if evidence.photo is None else replace(evidence, photo=None)
