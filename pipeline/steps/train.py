"""Train: labelled listings become a model version, with its bundle, manifest and held-out figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.classification.extractor_selection import SetResult, candidate_sets, choose_set, compare_sets
from pipeline.classification.feature_extraction import can_continue_from
from pipeline.classification.photo_reader import prefetch
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.errors import InvalidInput, PermanentFailure, TransientFailure
from pipeline.domain.extractors import EXTRACTORS
from pipeline.domain.json_record import JsonObject
from pipeline.domain.listing import Evidence, Example, LabelledListing
from pipeline.domain.prediction import Modality
from pipeline.domain.progress import Progress, stage
from pipeline.domain.study import StudyProtocol
from pipeline.domain.training import PHOTO_EXTRACTOR, TrainingOptions
from pipeline.features.extractor import ImageExtractor, load_extractor
from pipeline.features.weights_lookup import WeightsPath, find_weights
from pipeline.ports.services import Photos

READ_THREADS = 8
MIN_EXAMPLES = 10
REFIT_GROWTH = 1.5  # times the listings that extractors were first fitted on, beyond which they are fitted anew
COMPARISON_SHARE = 0.7  # of the time that comparing sets of extractors takes, for progress


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A training of a taxonomy: the options, without weights, which are found by name.

    ``choose`` compares sets of photo extractors instead of taking those of the options: the ``fastest``, the ``best``,
    or the best within a number of milliseconds a photo.
    """

    taxonomy: str
    options: TrainingOptions = field(default_factory=TrainingOptions)
    choose: str | None = None


@dataclass(frozen=True, slots=True)
class PreviousExtractors:
    """Photo extractors of the previous model version, and the number of listings they were first ``learned_on``."""

    extractors: Mapping[str, ImageExtractor]
    learned_on: int


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A trained bundle and its manifest, which does not have the digests of the files yet."""

    model: TrainedModel
    manifest: JsonObject


def read_examples(listings: Sequence[LabelledListing], photos: Photos, progress: Progress) -> list[Example]:
    """Examples with their photos; a listing whose photo cannot be fetched keeps its text."""

    def read(listing: LabelledListing) -> Example:
        photo: bytes | None = None
        if listing.photo is not None:
            try:
                photo = photos.fetch(listing.photo).content
            except (PermanentFailure, TransientFailure):
                photo = None
        evidence = Evidence(listing.name, listing.description, listing.attributes, photo)
        return Example(listing.external_id, evidence, listing.category)

    examples: list[Example] = []
    for example in prefetch(read, listings, READ_THREADS):
        examples.append(example)
        progress(len(examples) / len(listings), "reading the photos")
    return examples


def train_version(
    examples: Sequence[Example],
    plan: TrainingPlan,
    weights_path: WeightsPath,
    progress: Progress,
    previous: PreviousExtractors | None = None,
) -> TrainedVersion:
    """Train a model and measure it on held-out folds.

    Photo extractors continue from the ``previous`` version until the catalogue is REFIT_GROWTH times as large. Raises
    InvalidInput when there is too little to learn from, Unavailable when an extractor's weights are missing.
    """
    if len(examples) < MIN_EXAMPLES:
        raise InvalidInput(
            f"{len(examples)} listings of '{plan.taxonomy}' have a category; at least {MIN_EXAMPLES} are needed "
            "to train. Import a catalogue with categories, or review some listings"
        )
    options = plan.options
    compared: list[SetResult] = []
    start = 0.0
    if plan.choose is not None:
        start = COMPARISON_SHARE
        compared = _compare_sets(examples, options, weights_path, stage(progress, 0.0, start))
        options = replace(options, image_extractors=choose_set(compared, plan.choose).extractors)
    options = replace(options, weights=_find_all(options.image_extractors, weights_path))
    previous = _usable(previous, options.image_extractors, len(examples))
    result = train(
        examples,
        options,
        progress=stage(progress, start, 1.0),
        previous=previous.extractors if previous else None,
    )
    manifest: JsonObject = {
        "taxonomy": plan.taxonomy,
        "image_extractors": list(options.image_extractors),
        "tried": [each.as_json() for each in compared],
        "learned_on": previous.learned_on if previous else len(examples),
    }
    return TrainedVersion(result.model, manifest | result.report.as_json())


def best_for_photos(report: Mapping[str, Any]) -> list[str]:
    """The photo extractors of a study's report, best first: by held-out accuracy, else by agreement with categories."""
    by_accuracy = [
        (float(row["accuracy"]["mean"]), str(row["extractor"]))
        for row in report.get("supervised") or ()
        if row.get("modality") == Modality.IMAGE and row.get("accuracy")
    ]
    by_agreement = [
        (float(row["ari"]["mean"]), str(row["extractor"]))
        for row in report.get("trials") or ()
        if row.get("modality") == Modality.IMAGE and row.get("protocol") == StudyProtocol.B and row.get("ari")
    ]
    return [name for _, name in sorted(by_accuracy or by_agreement, key=lambda each: -each[0])]


def default_extractors(report: Mapping[str, Any] | None, weights_path: WeightsPath) -> tuple[str, ...]:
    """The default photo extractors: the latest study's best whose weights are installed, else the built-in one.

    Added to it are the networks that the study did not measure, since their weights were installed later.
    """
    photos = [row for row in EXTRACTORS if row.modality is Modality.IMAGE]
    usable = [row.name for row in photos if not row.takes_weights or find_weights(row.name, weights_path)]
    ranked = best_for_photos(report or {})
    best = next((name for name in ranked if name in usable), PHOTO_EXTRACTOR)
    unmeasured = [row.name for row in photos if row.takes_weights and row.name in usable and row.name not in ranked]
    return (best, *unmeasured)


def _usable(previous: PreviousExtractors | None, names: Sequence[str], count: int) -> PreviousExtractors | None:
    """The previous extractors that a training on ``count`` listings continues from; None when it starts anew."""
    if previous is None or count > REFIT_GROWTH * previous.learned_on:
        return None
    usable = {
        name: extractor
        for name, extractor in previous.extractors.items()
        if name in names and can_continue_from(extractor, load_extractor(name)())
    }
    return PreviousExtractors(usable, previous.learned_on) if usable else None


def _compare_sets(
    examples: Sequence[Example], options: TrainingOptions, weights_path: WeightsPath, progress: Progress
) -> list[SetResult]:
    networks = [row.name for row in EXTRACTORS if row.modality is Modality.IMAGE and row.takes_weights]
    weights = _find_all(networks, weights_path)
    return compare_sets(examples, candidate_sets(list(weights)), replace(options, weights=weights), progress=progress)


def _find_all(names: Sequence[str], weights_path: WeightsPath) -> dict[str, str]:
    return {name: path for name in names if (path := find_weights(name, weights_path))}
