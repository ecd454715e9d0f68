"""Text and photo together, without looking at labels: which features to join, and how much each weighs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.clustering.neighbours import with_neighbours
from pipeline.clustering.reduction import reduced, unit_rows
from pipeline.domain.prediction import Modality
from pipeline.features.extractor import Vectors
from pipeline.study.features import Features
from pipeline.study.resource_usage import Cost

TEXT_WEIGHT = 0.75  # the rest is the photo's
FEWEST = 10  # listings with both
# Text: what learns meaning from the catalogue before what counts words; photos: networks before local descriptors.
PREFERRED_TEXT = ("sentence", "use", "word2vec", "tfidf", "bag_of_words")
PREFERRED_IMAGE = ("vgg16", "squeezenet", "fisher", "sift")
MOST_PAIRS = 2


def pairs(found: Sequence[Features]) -> list[tuple[Features, Features]]:
    """The pairs to join: the text and the image extractor that come first in an order that no label has a part in.

    A second pair takes the next text extractor, so that the figure does not hang on one of them.
    """
    by_text = _in_order(found, Modality.TEXT, PREFERRED_TEXT)
    by_image = _in_order(found, Modality.IMAGE, PREFERRED_IMAGE)
    if not by_text or not by_image:
        return []
    chosen = [(text, by_image[0]) for text in by_text[:MOST_PAIRS]]
    return [(text, image) for text, image in chosen if int((text.has & image.has).sum()) >= FEWEST]


def combine(text: Features, image: Features) -> Features:
    """Both blocks reduced and of unit length, weighed, put side by side, and seen with their neighbours.

    Unit rows of (n, at most 200) numbers. A listing without a photo keeps its text alone (and the other way round).
    Photos say little of one listing and more of a group: they help to tell which listings lie together.
    """
    with Cost() as cost:
        blocks = [_block(text) * np.float32(TEXT_WEIGHT), _block(image) * np.float32(1 - TEXT_WEIGHT)]
        matrix = np.concatenate(blocks, axis=1)
        has = text.has | image.has
        matrix[has] = with_neighbours(unit_rows(matrix[has]))
    return Features(
        extractor=f"{text.extractor}+{image.extractor}",
        modality=Modality.FUSED,
        matrix=matrix,
        has=has,
        seconds=text.seconds + image.seconds + cost.seconds,
        memory=max(text.memory, image.memory, cost.memory),
        reused=min(text.reused, image.reused),
    )


def _block(features: Features) -> Vectors:
    inside = np.flatnonzero(features.has)
    rows = reduced(features.matrix[inside])
    block = np.zeros((len(features.has), rows.shape[1]), np.float32)
    block[inside] = rows
    return block


def _in_order(found: Sequence[Features], modality: Modality, preferred: Sequence[str]) -> list[Features]:
    """Those of a modality, the preferred ones first; others after them, by name."""
    rank = {name: at for at, name in enumerate(preferred)}
    mine = [features for features in found if features.modality is modality]
    return sorted(mine, key=lambda features: (rank.get(features.extractor, len(rank)), features.extractor))
