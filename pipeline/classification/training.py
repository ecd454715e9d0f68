"""Training: labelled listings in, a model and its held-out figures out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import scipy.linalg  # noqa: F401  # the limit on threads only reaches libraries that are loaded when it is set
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.classification import fine_tuning, metrics, network_precision, thresholds
from pipeline.classification.feature_extraction import CachedTextExtractor, Progress, silent
from pipeline.classification.fusion import fit_fusion, held_out_fused
from pipeline.classification.grouped_folds import assign_folds, group_listings
from pipeline.classification.modality_fitting import fit_text
from pipeline.classification.novelty import MaxScores, choose_floors
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.photo_training import fit_image
from pipeline.classification.targets import LabelledSet, select_labelled
from pipeline.classification.trained_model import ModalityProbabilities, TrainedModel
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example
from pipeline.features import extractor as factory
from pipeline.features.extractor import ImageExtractor, TwoStepExtractor

FOLDS = 5
CACHE = 400_000_000  # bytes of descriptors remembered between fitting the extractors and using them


def make_photo_reader(
    image_extractors: Sequence[str],
    weights: Mapping[str, str] | None = None,
    cache_bytes: int = CACHE,
    disk_bytes: int = 0,
) -> PhotoReader:
    """A reader for these extractors; Unavailable when one lacks its weights."""
    built = {name: factory.build_extractor(name, (weights or {}).get(name)) for name in image_extractors}
    for extractor in built.values():
        if not isinstance(extractor, TwoStepExtractor):
            cast(ImageExtractor, extractor).fit([])
    return PhotoReader(cast(dict[str, ImageExtractor], built), cache_bytes, disk_bytes)


def train(
    examples: Sequence[Example],
    *,
    level: int | None = None,
    text_extractor: str | None = "tfidf",
    image_extractors: Sequence[str] = ("fisher",),
    weights: Mapping[str, str] | None = None,
    seed: int = 0,
    target: float = thresholds.PRECISION_TARGET,
    progress: Progress = silent,
    reader: PhotoReader | None = None,
    known: CachedTextExtractor | None = None,
    embed: bool = True,
    views: int = 0,
    computing: str = network_precision.AUTOMATIC,
    finetune: bool = False,
    former: Mapping[str, ImageExtractor] | None = None,
) -> tuple[TrainedModel, dict[str, Any]]:
    """Fit extractors, estimators, calibration, fusion and thresholds; also returns metrics on held-out folds.

    ``level`` None picks the deepest useful one. ``weights`` are local paths by extractor. ``target`` is the precision
    wanted of what is assigned. ``reader`` and ``known`` let several trainings share what was read of the photos, and by
    a pretrained text extractor. Without ``embed`` the model makes no embeddings. ``views`` of each photo are learned
    from besides, where held-out photos say that they help. ``computing`` is the precision in which pretrained networks
    serve, or ``auto`` (see ``precision.settle``); those of a ``reader`` stay as they are. ``finetune`` tries a network
    with its last block fine-tuned (see ``finetuning``). Photo extractors that learn from the catalogue go on from the
    ``former`` ones, by name. The same examples and seed give the same model. Raises
    InvalidInput when there is nothing to tell apart, Unavailable when weights are absent.
    """
    begun = time.perf_counter()
    labelled = select_labelled(examples, level)
    grouped = group_listings(labelled.examples, labelled.names, FOLDS)
    folds = assign_folds(labelled.names, grouped, FOLDS, seed)
    lesson = labelled.lesson(folds)
    networks: dict[str, Any] = {}
    if reader is None:
        built = make_photo_reader(image_extractors, weights).extractors
        reader, networks = network_precision.choose_precisions(
            built, lambda extractors: PhotoReader(extractors, CACHE), labelled, grouped, computing, seed, progress
        )
    texts_until = 0.1 if reader.extractors else 0.95
    # The matrices of one photo are so small that threads would only wait for each other.
    with threadpool_limits(limits=1):
        evidences = [example.evidence for example in labelled.examples]
        text, texts, has_text, familiar_text = fit_text(
            evidences,
            lesson,
            text_extractor,
            seed if embed else None,
            (weights or {}).get(text_extractor or ""),
            known,
            lambda share, note: progress(0.02 + (texts_until - 0.02) * share, note),
        )
        fitted, augmentation = fit_image(evidences, lesson, reader, seed, progress, embed, views, former)
        tuning = None
        network = fine_tuning.tunable_network(fitted.part) if finetune else None
        if network is not None:
            fitted, tuning = fine_tuning.fit_fine_tuned(fitted, network, evidences, lesson, seed, progress)
            if tuning["kept"]:
                networks = {network.backbone.name: {"precision": "fp32", "reason": "fine-tuned on these listings"}}
        image, images, has_image, familiar_image = fitted
        if text is None and image is None:
            raise InvalidInput("the listings have neither texts nor photos that can be used")
        progress(0.95, "fusing text and photo, choosing thresholds")
        fusion = fit_fusion(texts, images, labelled.labels, has_text & has_image)
        fused = held_out_fused(texts, images, labelled.labels, has_text, has_image, folds)
    scored = ModalityProbabilities(texts, images, fused, MaxScores(familiar_text, familiar_image, has_text, has_image))
    everything = np.ones(len(folds), bool)
    chosen = _thresholds(labelled, scored, everything, target)
    model = TrainedModel(labelled.level, labelled.categories, text, image, fusion, chosen)
    judged = []
    for fold in np.unique(folds):
        # Coverage and precision are only honest where the thresholds were chosen on other listings.
        inside = folds == fold
        names = [name for name, mine in zip(labelled.names, inside, strict=True) if mine]
        others = _thresholds(labelled, scored, ~inside, target)
        judged.append(metrics.predict_categories(names, labelled.categories, scored.rows(inside), others))
    found: dict[str, Any] = metrics.held_out_figures(metrics.concatenate(judged))
    found |= {
        "target": target,
        "thresholds": dict(chosen.by_category),
        "level": labelled.level,
        "listings": len(labelled.examples),
        "left_out": labelled.left_out,
        "networks": networks,
        "fingerprint": fingerprint(examples),
        "augmentation": augmentation,
        "finetuning": tuning,
        "seconds": round(time.perf_counter() - begun, 3),
    }
    progress(1.0, "trained")
    return model, found


def _thresholds(
    labelled: LabelledSet, scored: ModalityProbabilities, rows: NDArray[np.bool_], target: float
) -> thresholds.Thresholds:
    mine, labels = scored.rows(rows), labelled.labels[rows]
    judged = mine.has_text | mine.has_image
    predicted, confidence = mine.fused[judged].argmax(axis=1), mine.fused[judged].max(axis=1).astype(np.float64)
    chosen = thresholds.choose_thresholds(
        labelled.categories, predicted, confidence, predicted == labels[judged], target
    )
    needed = np.array([chosen.of(category) for category in labelled.categories])
    assigned = {}
    for evidence, said in (("text", mine.text), ("image", mine.image), ("both", mine.fused)):
        predicted = said.argmax(axis=1)
        assigned[evidence] = (predicted == labels) & (said.max(axis=1) >= needed[predicted])
    return replace(chosen, floors=choose_floors(mine.familiarity, assigned))


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
