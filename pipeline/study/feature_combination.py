"""Combine text and photo features without using labels: which extractors, and with which weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.clustering.reduction import reduce_features, unit_rows
from pipeline.domain.prediction import Modality
from pipeline.features.extractor import Vectors
from pipeline.study.features import Features
from pipeline.study.resource_usage import ResourceUsage

TEXT_WEIGHT = 0.75  # the rest is the photo's
MIN_LISTINGS = 10  # with both text and photo
# Text: extractors that learn meaning before those that count words; photos: networks before local descriptors.
PREFERRED_TEXT = ("sentence", "use", "word2vec", "tfidf", "bag_of_words")
PREFERRED_IMAGE = ("vgg16", "squeezenet", "fisher", "sift")
MAX_PAIRS = 2
NEIGHBOURS = 15
_CHUNK = 1_024  # rows whose neighbours are gathered at a time: bounds the memory of their copies


@dataclass(frozen=True, slots=True)
class FeaturePair:
    """Text and photo features to combine."""

    text: Features
    image: Features

    @property
    def name(self) -> str:
        """The name of the combination: ``word2vec+fisher``."""
        return f"{self.text.extractor}+{self.image.extractor}"


def choose_pairs(features: Sequence[Features]) -> list[FeaturePair]:
    """The pairs to combine: the first text and the first image extractor in a fixed order of preference.

    A second pair uses the next text extractor, so that the result does not depend on a single one.
    """
    texts = _by_preference(features, Modality.TEXT, PREFERRED_TEXT)
    images = _by_preference(features, Modality.IMAGE, PREFERRED_IMAGE)
    pairs = [FeaturePair(text, images[0]) for text in texts[:MAX_PAIRS]] if images else []
    return [pair for pair in pairs if int((pair.text.present & pair.image.present).sum()) >= MIN_LISTINGS]


def combine_features(pair: FeaturePair) -> Features:
    """Reduce both blocks to unit rows, weight and concatenate them, then average each row with its neighbours.

    The matrix has unit rows and at most 200 columns. A listing without a photo has only its text block, and vice versa.
    A single photo tells little about its listing; averaging with the neighbours adds the photos of similar listings.
    """
    text, image = pair.text, pair.image
    with ResourceUsage() as usage:
        blocks = [_block(text) * np.float32(TEXT_WEIGHT), _block(image) * np.float32(1 - TEXT_WEIGHT)]
        matrix = np.concatenate(blocks, axis=1)
        present = text.present | image.present
        matrix[present] = average_with_neighbours(unit_rows(matrix[present]))
    return Features(
        extractor=pair.name,
        modality=Modality.FUSED,
        matrix=matrix,
        present=present,
        seconds=text.seconds + image.seconds + usage.seconds,
        memory=max(text.memory, image.memory, usage.memory),
        reused=min(text.reused, image.reused),
    )


def average_with_neighbours(vectors: Vectors, count: int = NEIGHBOURS) -> Vectors:
    """The mean of each unit row and its ``count`` nearest rows, weighted by cosine, as unit rows of shape (n, d).

    What a listing shares with its neighbours remains; what is specific to it (the wording of one seller, the background
    of one photo) averages out: Arandjelović and Zisserman 2012, section 5 (database-side feature augmentation), with
    the weights of Radenović et al. 2019. Neighbours with a negative cosine have weight 0.
    """
    from sklearn.neighbors import NearestNeighbors

    averages = np.empty_like(vectors)
    with threadpool_limits(1, user_api="openmp"):
        # Among unit rows the nearest are also the most similar; this search does not store the matrix of all distances.
        search = NearestNeighbors(n_neighbors=min(count + 1, len(vectors)), algorithm="brute").fit(vectors)
        for start in range(0, len(vectors), _CHUNK):
            distances, nearest = search.kneighbors(vectors[start : start + _CHUNK])
            weights = np.maximum(1.0 - distances**2 / 2.0, 0.0).astype(np.float32)
            averages[start : start + _CHUNK] = np.einsum("nk,nkd->nd", weights, vectors[nearest])
    rows: Vectors = unit_rows(averages)
    return rows


def _block(features: Features) -> Vectors:
    """The reduced features of the listings that have them, zeros for the others."""
    rows = np.flatnonzero(features.present)
    reduced = reduce_features(features.matrix[rows])
    block = np.zeros((len(features.present), reduced.shape[1]), np.float32)
    block[rows] = reduced
    return block


def _by_preference(features: Sequence[Features], modality: Modality, preferred: Sequence[str]) -> list[Features]:
    """The features of a modality: the preferred extractors first, then the others by name."""
    rank = {name: position for position, name in enumerate(preferred)}
    matching = [candidate for candidate in features if candidate.modality is modality]
    return sorted(matching, key=lambda candidate: (rank.get(candidate.extractor, len(rank)), candidate.extractor))
