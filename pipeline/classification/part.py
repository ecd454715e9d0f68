"""Part: one modality of a model, from listings to calibrated probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification import artefacts
from pipeline.classification.calibration import Floats, Pool
from pipeline.classification.estimators import LinearEstimator
from pipeline.classification.reading import Reading, vector
from pipeline.domain.listing import Evidence
from pipeline.features import catalogue
from pipeline.features.extractor import ImageExtractor, Matrix, State, TextExtractor

EMBEDDING = 128  # width of every embedding; a catalogue too small for so many axes leaves the rest zero


@dataclass(frozen=True, slots=True)
class Part:
    """Fitted extractors by name, an estimator on their vectors side by side, its calibration.

    ``projections`` hold, by extractor, the axes (d, EMBEDDING) that make an embedding of a feature vector.
    """

    extractors: Mapping[str, TextExtractor | ImageExtractor]
    estimator: LinearEstimator
    calibration: Pool
    projections: Mapping[str, Floats]

    def probabilities(self, vectors: Mapping[str, Matrix]) -> Floats:
        """Calibrated, shape (n, categories), from the vectors by extractor."""
        return self.calibration.probabilities([self.estimator.scores(side_by_side(vectors))])

    def embeddings(self, vectors: Mapping[str, Matrix]) -> dict[str, Floats]:
        """By extractor, unit vectors of shape (n, EMBEDDING); zeros where there is nothing to embed."""
        found = {}
        for name, rows in vectors.items():
            projected = np.asarray(rows @ self.projections[name], np.float32)
            found[name] = projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-9)
        return found

    def state(self) -> State:
        """Estimator, calibration and projections; the extractors have states of their own."""
        state: State = {"weights": self.estimator.weights, "intercept": self.estimator.intercept}
        state |= {"slopes": self.calibration.slopes, "bias": self.calibration.bias}
        return state | {f"projection_{name}": axes for name, axes in self.projections.items()}

    @classmethod
    def from_files(cls, name: str, extractors: Sequence[str], files: Mapping[str, bytes]) -> Part:
        """The part saved under ``name``; KeyError or BadArtefact when something is missing or damaged."""
        state = artefacts.unpack(name, files)
        return cls(
            {
                extractor: catalogue.load(extractor).from_state(artefacts.unpack(f"extractor_{extractor}", files))
                for extractor in extractors
            },
            LinearEstimator(state["weights"], state["intercept"]),
            Pool(state["slopes"], state["bias"]),
            {extractor: state[f"projection_{extractor}"] for extractor in extractors},
        )


def text_vectors(
    extractors: Mapping[str, TextExtractor | ImageExtractor], evidences: Sequence[Evidence]
) -> tuple[dict[str, Matrix], NDArray[np.bool_]]:
    """Vectors by extractor, and which listings have any word that is known: shape (n,)."""
    vectors = {name: cast(TextExtractor, extractor).transform(evidences) for name, extractor in extractors.items()}
    known = np.zeros(len(evidences), bool)
    for rows in vectors.values():
        known |= np.asarray(abs(rows).sum(axis=1)).ravel() > 0
    return vectors, known


def image_vectors(
    extractors: Mapping[str, TextExtractor | ImageExtractor], readings: Sequence[Reading]
) -> tuple[dict[str, Matrix], NDArray[np.bool_]]:
    """The same of photos: zeros where there is none that can be used."""
    has = np.array([reading.described is not None for reading in readings], bool)
    vectors: dict[str, Matrix] = {}
    for name, extractor in extractors.items():
        rows: list[NDArray[Any]] = [
            vector(cast(ImageExtractor, extractor), reading.described[name])
            for reading in readings
            if reading.described
        ]
        if rows:
            vectors[name] = np.zeros((len(readings), len(rows[0])), np.float32)
            vectors[name][has] = np.stack(rows)
    return vectors, has


def side_by_side(vectors: Mapping[str, Matrix]) -> Matrix:
    """One matrix of the vectors of all extractors, scaled so that rows of unit vectors stay unit vectors."""
    blocks = list(vectors.values())
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate([np.asarray(block) for block in blocks], axis=1) / np.float32(np.sqrt(len(blocks)))
