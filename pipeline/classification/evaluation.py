"""Evaluation: how well a model trained the usual way does on listings it has not seen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.classification import metrics, thresholds
from pipeline.classification.cross_validation import CACHE, DISK, cached_text_extractor, cross_validate
from pipeline.classification.feature_extraction import Progress, silent
from pipeline.classification.grouped_folds import assign_folds, group_listings
from pipeline.classification.network_precision import with_precision
from pipeline.classification.open_set_evaluation import draw_categories, evaluate_unknown_categories
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.targets import category_at_level, choose_level
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import fingerprint, make_photo_reader, train
from pipeline.domain.errors import InvalidInput
from pipeline.domain.listing import Example
from pipeline.networks.precision import Precision, parse_precision

_CHUNK = 256


def evaluate(
    examples: Sequence[Example],
    *,
    folds: int = 5,
    level: int | None = None,
    text_extractor: str | None = "tfidf",
    image_extractors: Sequence[str] = ("fisher",),
    weights: Mapping[str, str] | None = None,
    seed: int = 0,
    target: float = thresholds.PRECISION_TARGET,
    views: int = 0,
    computing: str = Precision.FP32.value,
    strangers: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Cross-validate: every listing is answered once, by a model whose every part was fitted on the other folds.

    Equal photos never straddle a split, nor do equal texts (see ``splitting.groups``). Returns ``text``, ``image`` and
    ``fused`` as ``metrics.report`` does, and beside them where the figures come from. With ``views`` of each photo to
    learn from, each fold's model keeps them or not by its own training listings. ``computing`` (fp32, bf16, int8) is
    the precision of pretrained networks; int8 learns the ranges of their maps from photos of any fold, without labels.
    So many categories as ``strangers`` says are kept from a model each besides (see ``strangers``).
    """
    if folds < 2:
        raise InvalidInput(f"{folds} folds cannot be compared; take at least 2")
    if len(examples) < 2 * folds:
        raise InvalidInput(f"{len(examples)} listings are too few for {folds} folds; take fewer folds or more listings")
    begun = time.perf_counter()
    chosen = level if level is not None else choose_level([example.category for example in examples])
    names = [category_at_level(example.category, chosen) for example in examples]
    away = draw_categories(names, strangers, seed)
    assigned = assign_folds(names, group_listings(examples, names, folds), folds, seed)
    reader = _reader(image_extractors, weights, examples, computing, seed, DISK if views else 0)
    alike: dict[str, Any] = {
        "level": chosen,
        "text_extractor": text_extractor,
        "image_extractors": image_extractors,
        "weights": weights,
        "seed": seed,
        "target": target,
        "reader": reader,
        "known": cached_text_extractor(text_extractor, weights),
        "views": views,
    }
    share = folds / (folds + len(away))
    judged = [
        _judged(model, [examples[index] for index in test], reader)
        for model, test in cross_validate(
            examples, assigned, **alike, progress=lambda done, note: progress(share * done, note)
        )
    ]
    found = metrics.held_out_figures(metrics.concatenate(judged))
    if away:

        def teach(chosen_examples: Sequence[Example], told: Progress) -> TrainedModel:
            return train(chosen_examples, **alike, embed=False, progress=told)[0]

        found["strangers"] = evaluate_unknown_categories(
            examples,
            names,
            away,
            teach,
            lambda model, some: _judged(model, some, reader),
            lambda done, note: progress(share + (1 - share) * done, note),
        )
    found |= {"level": chosen, "folds": folds, "seed": seed, "target": target, "computing": computing}
    found |= {"categories": sorted(set(names)), "fingerprint": fingerprint(examples)}
    return found | {"seconds": round(time.perf_counter() - begun, 3)}


def evaluate_split(
    train_examples: Sequence[Example],
    test_examples: Sequence[Example],
    *,
    level: int | None = None,
    text_extractor: str | None = "tfidf",
    image_extractors: Sequence[str] = ("fisher",),
    weights: Mapping[str, str] | None = None,
    seed: int = 0,
    target: float = thresholds.PRECISION_TARGET,
    views: int = 0,
    computing: str = Precision.FP32.value,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train on one catalogue and score another, in the same form as ``evaluate``.

    The ranges of int8 are learned from the photos that are trained on.
    """
    if not test_examples:
        raise InvalidInput("there are no labelled listings to score")
    begun = time.perf_counter()
    reader = _reader(image_extractors, weights, train_examples, computing, seed)
    model, trained = train(
        train_examples,
        level=level,
        text_extractor=text_extractor,
        image_extractors=image_extractors,
        seed=seed,
        target=target,
        progress=lambda fraction, message: progress(0.8 * fraction, message),
        reader=reader,
        views=views,
    )
    progress(0.8, f"scoring {len(test_examples)} listings")
    found = metrics.held_out_figures(_judged(model, test_examples, reader))
    found |= {
        "computing": computing,
        "level": model.level,
        "seed": seed,
        "target": target,
        "categories": list(model.categories),
    }
    found |= {"fingerprint": fingerprint([*train_examples, *test_examples]), "augmentation": trained["augmentation"]}
    progress(1.0, "scored")
    return found | {"seconds": round(time.perf_counter() - begun, 3)}


def _reader(
    image_extractors: Sequence[str],
    weights: Mapping[str, str] | None,
    examples: Sequence[Example],
    computing: str,
    seed: int,
    disk_bytes: int = 0,
) -> PhotoReader:
    built = make_photo_reader(image_extractors, weights).extractors
    evidences = [example.evidence for example in examples]
    return PhotoReader(with_precision(parse_precision(computing), built, evidences, seed), CACHE, disk_bytes)


def _judged(model: TrainedModel, test: Sequence[Example], reader: PhotoReader) -> metrics.PredictedListings:
    parts = []
    for start in range(0, len(test), _CHUNK):
        chunk = test[start : start + _CHUNK]
        scored = model.score(list(reader.read_all([example.evidence for example in chunk])))
        truth = np.array(
            [category_at_level(example.category, model.level) for example in chunk], dtype=np.str_
        ).tolist()
        parts.append(metrics.predict_categories(truth, model.categories, scored, model.thresholds))
    return metrics.concatenate(parts)
