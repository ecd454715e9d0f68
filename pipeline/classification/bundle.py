"""TrainedModel: everything a model version needs to answer, in one bundle that loads without scikit-learn or tensorflow."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification import artefacts
from pipeline.classification.calibration import Floats, Pool
from pipeline.classification.deciding import decide
from pipeline.classification.estimators import LinearEstimator
from pipeline.classification.fusion import fuse
from pipeline.classification.reading import Reader, Reading, vector
from pipeline.classification.thresholds import Thresholds
from pipeline.domain.errors import BadArtefact
from pipeline.domain.listing import Evidence
from pipeline.domain.prediction import Decision, Modality, Prediction, Ranked
from pipeline.features import catalogue
from pipeline.features.extractor import ImageExtractor, Matrix, TextExtractor

FORMAT = 1
RANKED = 5
NO_TEXT, UNKNOWN_TEXT = "no text", "no word of the text is known to the model"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says of one listing. ``embeddings`` are float32 unit vectors by extractor; ``seconds`` by stage.

    ``image_problem`` is None when the photo was used, or when there is none; else why it could not be.
    """

    text: Prediction | None
    image: Prediction | None
    fused: Prediction | None
    image_problem: str | None
    decision: Decision
    embeddings: Mapping[str, NDArray[np.float32]]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Part:
    """One modality: fitted extractors by name, estimator, calibration, and a projection (d, 128) for each embedding."""

    extractors: Mapping[str, TextExtractor | ImageExtractor]
    estimator: LinearEstimator
    calibration: Pool
    projections: Mapping[str, Floats]

    def probabilities(self, vectors: Matrix) -> Floats:
        """Calibrated, shape (n, categories)."""
        return self.calibration.probabilities([self.estimator.scores(vectors)])


@dataclass(frozen=True, slots=True)
class Scored:
    """Calibrated probabilities of n listings, each of shape (n, categories), and which listings have which evidence."""

    text: Floats
    image: Floats
    fused: Floats
    has_text: NDArray[np.bool_]
    has_image: NDArray[np.bool_]


class TrainedModel:
    """The bundle of a model version; ``categories`` are canonical paths, cut to ``level``."""

    def __init__(
        self,
        level: int,
        categories: tuple[str, ...],
        text: Part | None,
        image: Part | None,
        fusion: Pool | None,
        thresholds: Thresholds,
    ) -> None:
        self.level = level
        self.categories = categories
        self.text = text
        self.image = image
        self.fusion = fusion
        self.thresholds = thresholds
        self.reader = Reader(image_extractors(image))

    def answer(self, evidences: Sequence[Evidence]) -> list[Answer]:
        """One answer a listing, in order. Bad photos and empty texts give partial answers, never an error."""
        return self.answer_read([self.reader.read(evidence) for evidence in evidences])

    def answer_read(self, readings: Sequence[Reading]) -> list[Answer]:
        """The same for listings whose photos were read before."""
        if not readings:
            return []
        clock = [time.perf_counter()]
        text_vectors = self._text_vectors(readings)
        texts = self._probabilities(self.text, text_vectors, len(readings))
        clock.append(time.perf_counter())
        image_vectors = self._image_vectors(readings)
        stacked = np.concatenate(list(image_vectors.values()), axis=1) if image_vectors else None
        images = self._probabilities(self.image, stacked, len(readings))
        clock.append(time.perf_counter())
        scored = self._fused(texts, images, known_rows(text_vectors, len(readings)), readings)
        embeddings = {**self._embedded(self.text, {self._text_name: text_vectors}, scored.has_text)}
        embeddings |= self._embedded(self.image, image_vectors, scored.has_image)
        clock.append(time.perf_counter())
        stages = np.diff(clock) / len(readings)
        answers = []
        for at, reading in enumerate(readings):
            seconds = {"decode": 0.0, "image": 0.0, **reading.seconds}
            seconds |= {"text": float(stages[0]), "image": seconds["image"] + float(stages[1]), "fuse": float(stages[2])}
            mine = {name: rows[at] for name, rows in embeddings.items() if rows[at].any()}
            answers.append(self._answer(scored, at, reading, mine, seconds))
        return answers

    def score_read(self, readings: Sequence[Reading]) -> Scored:
        """Probabilities only, for evaluation."""
        text_vectors = self._text_vectors(readings)
        vectors = self._image_vectors(readings)
        stacked = np.concatenate(list(vectors.values()), axis=1) if vectors else None
        texts = self._probabilities(self.text, text_vectors, len(readings))
        images = self._probabilities(self.image, stacked, len(readings))
        return self._fused(texts, images, known_rows(text_vectors, len(readings)), readings)
