"""From listings to vectors: fitting extractors on the listings to learn from, and looking at listings with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Floats
from pipeline.classification.evidence_views import EvidenceFeatures, Extractors, View, photo_features, text_features
from pipeline.classification.photo_reader import AugmentedView, PhotoReader
from pipeline.domain.listing import Evidence
from pipeline.features import extractor as factory
from pipeline.features.extractor import (
    ImageExtractor,
    IncrementalExtractor,
    Matrix,
    Settings,
    TextExtractor,
    TwoStepExtractor,
)

Progress = Callable[[float, str], None]
CODEBOOK = 800  # photos an image extractor is fitted on: bounds the memory of their descriptors
LEAST = 10  # listings with the evidence, below which nothing is learned from it
LEAST_OF_BOTH = 60  # listings with words and attributes, below which they are not judged apart
_CHUNK = 64


def silent(fraction: float, message: str) -> None:
    """Progress that nobody watches."""


class CachedTextExtractor:
    """A pretrained text extractor, which learns nothing from a catalogue: it reads a text once for all folds."""

    def __init__(self, name: str, weights: str | None) -> None:
        self._extractor = cast(TextExtractor, factory.build_extractor(name, weights)).fit([])
        self._known: dict[Evidence, Any] = {}

    def transform(self, evidences: Sequence[Evidence]) -> Matrix:
        """As the extractor does."""
        texts = [_without_photo(evidence) for evidence in evidences]
        keys = [(text.name, text.description, tuple(text.attributes.items())) for text in texts]
        known = cast(dict[Any, Any], self._known)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            known.update(zip(new, np.asarray(self._extractor.transform(list(new.values()))), strict=True))
        return np.stack([known[key] for key in keys])


def fit_text_extractor(
    evidences: Sequence[Evidence], name: str, weights: str | None = None, known: CachedTextExtractor | None = None
) -> Extractors | None:
    """The text extractor of that name, fitted on the listings that have a text; None when they are too few."""
    having = [evidence for evidence in evidences if evidence.has_text]
    if len(having) < LEAST:
        return None
    if known is not None:
        return {name: cast(TextExtractor, known)}
    extractor = cast(TextExtractor, factory.build_extractor(name, weights))
    if isinstance(extractor, Settings) and "as_typed" in extractor.get_params():
        extractor.set_params(as_typed=True)
    return {name: extractor.fit(having)}


def extract_text_features(
    extractors: Extractors, evidences: Sequence[Evidence], labels: NDArray[np.int64]
) -> EvidenceFeatures:
    """The texts to learn from, split into words and attributes when enough listings have both."""
    seen = text_features(extractors, evidences, split=True)
    both = seen.situations()["both"]
    if both.sum() < LEAST_OF_BOTH or len(np.unique(labels[both])) < 2:
        return seen.whole()
    return seen


def fit_photo_extractors(
    evidences: Sequence[Evidence],
    reader: PhotoReader,
    seed: int,
    progress: Progress,
    former: Mapping[str, ImageExtractor] | None = None,
) -> Extractors | None:
    """The reader's extractors, fitted on a sample of the photos; None when there are too few that can be read.

    Those that were learned before, with the same settings, go on from the ``former`` ones, which stay as they are.
    """
    having = [index for index, evidence in enumerate(evidences) if evidence.photo is not None]
    if len(having) < LEAST or not reader.extractors:
        return None
    drawn = np.random.default_rng(seed).permutation(having)[:CODEBOOK]
    sample = []
    for count, reading in enumerate(reader.read_all([evidences[index] for index in sorted(drawn)])):
        sample.append(reading)
        if count % _CHUNK == 0:
            progress(0.9 * count / len(drawn), f"looking at photos ({count} of {len(drawn)})")
    described = [reading.described for reading in sample if reading.described]
    if len(described) < LEAST:
        return None
    progress(0.9, "learning what photos look like")
    extractors = {}
    for name, describer in reader.extractors.items():
        if not isinstance(describer, TwoStepExtractor):
            extractors[name] = describer
            continue
        seen = [each[name] for each in described]
        before = (former or {}).get(name)
        if before is not None and can_continue_from(before, describer):
            copy = cast(IncrementalExtractor, type(before).from_state(before.state()))
            copy.refit_described(seen)
            extractors[name] = cast(ImageExtractor, copy)
        else:
            fresh = cast(TwoStepExtractor, factory.load_extractor(name)(**cast(Any, describer).get_params()))
            extractors[name] = cast(ImageExtractor, fresh.fit_described(seen))
    return extractors


def can_continue_from(former: ImageExtractor, describer: object) -> bool:
    """Whether an extractor learned before can go on from there: one that can, of the same settings."""
    if not isinstance(former, IncrementalExtractor) or not isinstance(former, type(describer)):
        return False
    return bool(cast(Any, former).get_params() == cast(Any, describer).get_params())


def extract_photo_features(
    extractors: Extractors,
    evidences: Sequence[Evidence],
    reader: PhotoReader,
    progress: Progress,
    view: AugmentedView | None = None,
) -> EvidenceFeatures:
    """The vectors of all photos, a few at a time, so that their descriptors are never all in memory.

    Of the same ``view`` of each photo, if one is named.
    """
    chunks, flags = [], []
    readings = reader.read_all(evidences, view)
    for start in range(0, len(evidences), _CHUNK):
        progress(start / len(evidences), f"describing photos ({start} of {len(evidences)})")
        looked = photo_features(extractors, list(islice(readings, _CHUNK)))
        chunks.append({key: rows[looked.usable] for key, rows in looked.vectors[View.WHOLE].items()})
        flags.append(looked.usable)
    has = np.concatenate(flags) if flags else np.zeros(0, bool)
    stacked: Mapping[str, Matrix] = {
        name: _spread(np.concatenate([chunk[name] for chunk in chunks if chunk]), has)
        for name in extractors
        if any(chunks)
    }
    return EvidenceFeatures({View.WHOLE: stacked}, {View.WHOLE: has})


def _spread(rows: Floats, has: NDArray[np.bool_]) -> Floats:
    if has.all():
        return rows
    full = np.zeros((len(has), rows.shape[1]), np.float32)
    full[has] = rows
    return full


def _without_photo(evidence: Evidence) -> Evidence:
    return evidence if evidence.photo is None else replace(evidence, photo=None)
