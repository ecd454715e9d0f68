"""Combine text and photo features without using labels: which extractors, and with which weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.clustering.reduction import reduce_features, unit_rows
from pipeline.domain.prediction import Modality
from pipeline.features.extractor import Mask, Vectors
from pipeline.study.features import Features
from pipeline.study.resource_usage import ResourceUsage

TEXT_WEIGHT = 0.75  # the rest is the photo's
MIN_LISTINGS = 10  # with both text and photo
# Text: extractors that learn meaning before those that count words; photos: networks before local descriptors.
PREFERRED_TEXT = ("sentence", "use", "word2vec", "tfidf", "bag_of_words")
PREFERRED_IMAGE = ("efficientnet", "efficientnet_lite2", "vgg16", "squeezenet", "fisher", "sift")
MAX_TEXTS = 2
NEIGHBOURS = 15
_CHUNK = 1_024  # rows whose neighbours are gathered at a time: bounds the memory of their copies


@dataclass(frozen=True, slots=True)
class FeatureCombination:
    """Features of one or several text extractors and of a photo extractor to combine."""

    texts: tuple[Features, ...]
    image: Features

    @property
    def name(self) -> str:
        """The name of the combination: ``use+word2vec+efficientnet``."""
        return "+".join(features.extractor for features in (*self.texts, self.image))

    @property
    def has_text(self) -> Mask:
        """The listings with features of any of the texts, (n,)."""
        present: Mask = np.any([text.present for text in self.texts], axis=0)
        return present


def choose_combinations(features: Sequence[Features]) -> list[FeatureCombination]:
    """What is combined: the first image extractor in a fixed order of preference with each of the first two text
    extractors, and with both, since a pretrained encoder and words of the catalogue make different errors.
    """
    texts = _by_preference(features, Modality.TEXT, PREFERRED_TEXT)[:MAX_TEXTS]
    images = _by_preference(features, Modality.IMAGE, PREFERRED_IMAGE)
    sets = [(text,) for text in texts] + ([tuple(texts)] if len(texts) > 1 else [])
    combinations = [FeatureCombination(chosen, images[0]) for chosen in sets] if images else []
    return [each for each in combinations if int((each.has_text & each.image.present).sum()) >= MIN_LISTINGS]


def combine_features(combination: FeatureCombination) -> Features:
    """Reduce each block to unit rows, weight and concatenate them, then average each row with its neighbours.

    Several texts share the weight of the text. The matrix has unit rows and at most 300 columns. A listing without
    a photo has only its text block, and vice versa. A single photo tells little about its listing; averaging with
    the neighbours adds the photos of similar listings.
    """
    texts, image = combination.texts, combination.image
    with ResourceUsage() as usage:
        blocks = [_block(text) * np.float32(TEXT_WEIGHT / len(texts)) for text in texts]
        matrix = np.concatenate([*blocks, _block(image) * np.float32(1 - TEXT_WEIGHT)], axis=1)
        present = combination.has_text | image.present
        matrix[present] = average_with_neighbours(unit_rows(matrix[present]))
    return Features(
        extractor=combination.name,
        modality=Modality.FUSED,
        matrix=matrix,
        present=present,
        seconds=sum(features.seconds for features in (*texts, image)) + usage.seconds,
        memory=max(*(features.memory for features in (*texts, image)), usage.memory),
        reused=min(features.reused for features in (*texts, image)),
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
