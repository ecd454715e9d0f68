"""Training: labelled listings in, a model and its held-out figures out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.classification import metrics, thresholds
from pipeline.classification.bundle import Scored, TrainedModel
from pipeline.classification.calibration import Floats, fit_pool, held_out_probabilities
from pipeline.classification.estimators import fit
from pipeline.classification.fusion import fit_fusion, held_out_fused
from pipeline.classification.labelling import label
from pipeline.classification.part import EMBEDDING, Part, image_vectors, side_by_side, text_vectors
from pipeline.classification.reading import Reader
from pipeline.classification.splitting import assign_folds, groups
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example
from pipeline.features import catalogue
from pipeline.features.extractor import Describing, ImageExtractor, Matrix, TextExtractor

Progress = Callable[[float, str], None]
FOLDS = 5
CODEBOOK = 800  # photos an image extractor is fitted on: bounds the memory of their descriptors
LEAST_PHOTOS = 10
CACHE = 400_000_000  # bytes of descriptors remembered between fitting the extractors and using them
_CHUNK = 64


def silent(fraction: float, message: str) -> None:
    """Progress that nobody watches."""


def make_reader(
    image_extractors: Sequence[str], weights: Mapping[str, str] | None = None, cache_bytes: int = CACHE
) -> Reader:
    """A reader for these extractors; Unavailable when one lacks its weights."""
    built = {name: catalogue.build(name, (weights or {}).get(name)) for name in image_extractors}
    for extractor in built.values():
        if not isinstance(extractor, Describing):
            cast(ImageExtractor, extractor).fit([])
    return Reader(cast(dict[str, ImageExtractor], built), cache_bytes)


def train(
    examples: Sequence[Example],
    *,
    level: int | None = None,
    text_extractor: str = "tfidf",
    image_extractors: Sequence[str] = ("fisher",),
    weights: Mapping[str, str] | None = None,
    seed: int = 0,
    target: float = thresholds.TARGET,
    progress: Progress = silent,
    reader: Reader | None = None,
) -> tuple[TrainedModel, dict[str, Any]]:
    """Fit extractors, estimators, calibration, fusion and thresholds; also returns metrics on held-out folds.

    ``level`` None picks the deepest useful one. ``weights`` are local paths by extractor. ``target`` is the precision
    wanted of what is assigned. ``reader`` lets several trainings share what was read of the photos. The same
    examples and seed give the same model. Raises InvalidInput when there is nothing to tell apart, Unavailable when
    weights are absent.
    """
    begun = time.perf_counter()
    labelled = label(examples, level)
    kinds = len(labelled.categories)
    folds = assign_folds(labelled.names, groups(labelled.examples, labelled.names, FOLDS), FOLDS, seed)
    reader = reader or make_reader(image_extractors, weights)
    # More threads than two only wait for each other on matrices of this size.
    with threadpool_limits(limits=2):
        progress(0.02, f"reading the texts of {len(labelled.examples)} listings")
        text, texts, has_text = _fit_text(labelled.examples, labelled.labels, kinds, folds, text_extractor, seed)
        image, images, has_image = _fit_image(labelled.examples, labelled.labels, kinds, folds, reader, seed, progress)
        if text is None and image is None:
            raise InvalidInput("the listings have neither texts nor photos that can be used")
        progress(0.95, "fusing text and photo, choosing thresholds")
        fusion = fit_fusion(texts, images, labelled.labels, has_text & has_image)
        fused = held_out_fused(texts, images, labelled.labels, has_text, has_image, folds)
    usable = has_text | has_image
    predicted, confidence = fused.argmax(axis=1), fused.max(axis=1).astype(np.float64)
    right = predicted == labelled.labels
    chosen = thresholds.choose(labelled.categories, predicted[usable], confidence[usable], right[usable], target)
    model = TrainedModel(labelled.level, labelled.categories, text, image, fusion, chosen)
    scored = Scored(texts, images, fused, has_text, has_image)
    found: dict[str, Any] = metrics.report(metrics.judge(labelled.names, labelled.categories, scored, chosen))
    found |= {
        "target": target,
        "thresholds": dict(chosen.by_category),
        "level": labelled.level,
        "listings": len(labelled.examples),
        "left_out": labelled.left_out,
        "fingerprint": fingerprint(examples),
        "seconds": round(time.perf_counter() - begun, 3),
    }
    progress(1.0, "trained")
    return model, found


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 (hex) of keys, texts, photos and categories, whatever the order of the examples."""
    rows = sorted(
        json.dumps(
            [
                example.key,
                example.category,
                example.evidence.name,
                example.evidence.description,
                sorted(example.evidence.attributes.items()),
                hashlib.sha256(example.evidence.photo).hexdigest() if example.evidence.photo else None,
            ]
        )
        for example in examples
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _fit_text(
    examples: Sequence[Example],
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    name: str,
    seed: int,
) -> tuple[Part | None, Floats, NDArray[np.bool_]]:
    evidences = [example.evidence for example in examples]
    having = [evidence for evidence in evidences if evidence.has_text]
    nothing = np.zeros((len(examples), kinds), np.float32), np.zeros(len(examples), bool)
    if len(having) < LEAST_PHOTOS:
        return None, *nothing
    extractor = cast(TextExtractor, catalogue.build(name)).fit(having)
    vectors, has = text_vectors({name: extractor}, evidences)
    if len(np.unique(labels[has])) < 2:
        return None, *nothing
    part, held_out = _fit_part({name: extractor}, vectors, has, labels, kinds, folds, seed)
    return part, held_out, has


def _fit_image(
    examples: Sequence[Example],
    labels: NDArray[np.int64],
    kinds: int,
    folds: NDArray[np.int64],
    reader: Reader,
    seed: int,
    progress: Progress,
) -> tuple[Part | None, Floats, NDArray[np.bool_]]:
    evidences = [example.evidence for example in examples]
    nothing = np.zeros((len(examples), kinds), np.float32), np.zeros(len(examples), bool)
    having = [index for index, evidence in enumerate(evidences) if evidence.photo is not None]
    if len(having) < LEAST_PHOTOS or not reader.extractors:
        return None, *nothing
    drawn = np.random.default_rng(seed).permutation(having)[:CODEBOOK]
    sample = []
    for count, index in enumerate(sorted(drawn)):
        sample.append(reader.read(evidences[index]))
        if count % _CHUNK == 0:
            progress(0.1 + 0.35 * count / len(drawn), f"looking at photos ({count} of {len(drawn)})")
    described = [reading.described for reading in sample if reading.described]
    if len(described) < LEAST_PHOTOS:
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
