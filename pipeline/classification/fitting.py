"""Fitting the parts of a model: extractors, estimator and calibration of text, and of photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.classification.calibration import Floats, fit_pool, held_out_probabilities
from pipeline.classification.estimators import fit
from pipeline.classification.part import EMBEDDING, Part, image_vectors, side_by_side, text_vectors
from pipeline.classification.reading import Reader
from pipeline.domain.listing import Example
from pipeline.features import catalogue
from pipeline.features.extractor import Describing, ImageExtractor, Matrix, TextExtractor

Progress = Callable[[float, str], None]
# The part (None when there is too little to learn from), held-out probabilities of shape (n, categories),
# and which listings have the evidence, of shape (n,).
Fitted = tuple[Part | None, Floats, NDArray[np.bool_]]
CODEBOOK = 800  # photos an image extractor is fitted on: bounds the memory of their descriptors
LEAST = 10  # listings with the evidence, below which nothing is learned from it
_CHUNK = 64


def silent(fraction: float, message: str) -> None:
    """Progress that nobody watches."""


def fit_text(
    examples: Sequence[Example],
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    name: str,
    seed: int,
) -> Fitted:
    """The text part, learned from the listings that have any text."""
    evidences = [example.evidence for example in examples]
    having = [evidence for evidence in evidences if evidence.has_text]
    nothing = np.zeros((len(examples), kinds), np.float32), np.zeros(len(examples), bool)
    if len(having) < LEAST:
        return None, *nothing
    extractor = cast(TextExtractor, catalogue.build(name)).fit(having)
    vectors, has = text_vectors({name: extractor}, evidences)
    if len(np.unique(labels[has])) < 2:
        return None, *nothing
    part, held_out = _fit_part({name: extractor}, vectors, has, labels, kinds, folds, seed)
    return part, held_out, has


def fit_image(
    examples: Sequence[Example],
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    reader: Reader,
    seed: int,
    progress: Progress,
) -> Fitted:
    """The image part. Each photo is read at most twice: once to fit the extractors on a sample, once to use them."""
    evidences = [example.evidence for example in examples]
    nothing = np.zeros((len(examples), kinds), np.float32), np.zeros(len(examples), bool)
    having = [index for index, evidence in enumerate(evidences) if evidence.photo is not None]
    if len(having) < LEAST or not reader.extractors:
        return None, *nothing
    drawn = np.random.default_rng(seed).permutation(having)[:CODEBOOK]
    sample = []
    for count, index in enumerate(sorted(drawn)):
        sample.append(reader.read(evidences[index]))
        if count % _CHUNK == 0:
            progress(0.1 + 0.35 * count / len(drawn), f"looking at photos ({count} of {len(drawn)})")
    described = [reading.described for reading in sample if reading.described]
    if len(described) < LEAST:
        return None, *nothing
    progress(0.45, "learning what photos look like")
    extractors = {}
    for name, describer in reader.extractors.items():
        if isinstance(describer, Describing):
            fresh = cast(Describing, catalogue.load(name)(**cast(Any, describer).get_params()))
            extractors[name] = cast(ImageExtractor, fresh.fit_described([each[name] for each in described]))
        else:
            extractors[name] = describer
    del sample, described
    chunks, flags = [], []
    for start in range(0, len(examples), _CHUNK):
        progress(0.5 + 0.35 * start / len(examples), f"describing photos ({start} of {len(examples)})")
        readings = [reader.read(evidence) for evidence in evidences[start : start + _CHUNK]]
        vectors, has = image_vectors(extractors, readings)
        chunks.append({key: rows[has] for key, rows in vectors.items()})
        flags.append(has)
    has = np.concatenate(flags)
    stacked = {name: np.concatenate([chunk[name] for chunk in chunks if chunk]) for name in extractors}
    full = {name: _spread(rows, has) for name, rows in stacked.items()}
    if len(np.unique(labels[has])) < 2:
        return None, *nothing
    progress(0.85, "learning categories from photos")
    part, held_out = _fit_part(extractors, full, has, labels, kinds, folds, seed)
    return part, held_out, has


def _spread(rows: Floats, has: NDArray[np.bool_]) -> Floats:
    if has.all():
        return rows
    full = np.zeros((len(has), rows.shape[1]), np.float32)
    full[has] = rows
    return full


def _fit_part(
    extractors: Mapping[str, TextExtractor | ImageExtractor],
    vectors: Mapping[str, Matrix],
    has: NDArray[np.bool_],
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    seed: int,
) -> tuple[Part, Floats]:
    mine = {name: rows if has.all() else rows[has] for name, rows in vectors.items()}
    fitted = fit(side_by_side(mine), labels[has], kinds, folds[has])
    calibration = fit_pool([fitted.held_out], labels[has])
    held_out = np.zeros((len(labels), kinds), np.float32)
    held_out[has] = held_out_probabilities([fitted.held_out], labels[has], folds[has])
    projections = {name: _principal_axes(rows, seed) for name, rows in mine.items()}
    return Part(extractors, fitted.estimator, calibration, projections), held_out


def _principal_axes(rows: Matrix, seed: int) -> Floats:
    """The leading right singular vectors, shape (d, EMBEDDING), by the randomised method of Halko et al. (2011)."""
    from sklearn.utils.extmath import randomized_svd  # only training needs it

    drawn = rows[np.random.default_rng(seed).permutation(rows.shape[0])[:3_000]]
    kept = min(EMBEDDING, *drawn.shape)
    axes = np.zeros((rows.shape[1], EMBEDDING), np.float32)
    axes[:, :kept] = randomized_svd(drawn, kept, n_iter=2, random_state=seed)[2].T
    return axes
