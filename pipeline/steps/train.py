"""Train a model version on labelled listings: the trained model and its manifest, with held-out scores."""

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
from pipeline.domain.taxonomy import CategoryEntry
from pipeline.domain.training import DEFAULT_PHOTO_EXTRACTORS, TrainingOptions
from pipeline.features.extractor import ImageExtractor, load_extractor
from pipeline.features.photo_hash import perceptual_hash
from pipeline.features.weights_lookup import WeightsPath, find_weights
from pipeline.ports.services import Photos

READ_THREADS = 8
MIN_EXAMPLES = 2
REFIT_GROWTH = 1.5  # growth in listings since photo extractors were first fitted, after which they are refitted
COMPARISON_SHARE = 0.7  # share of the time that comparing sets of extractors takes, for the progress


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A training of a taxonomy: its options, whose ``weights`` are ignored, since they are found by extractor.

    ``choose`` compares sets of photo extractors and selects one, instead of those of the options: ``fastest``,
    ``best``, or the best one within a number of milliseconds per photo. ``entries`` are the categories of the taxonomy
    with their texts.
    """

    taxonomy: str
    options: TrainingOptions = field(default_factory=TrainingOptions)
    choose: str | None = None
    entries: Sequence[CategoryEntry] = ()


@dataclass(frozen=True, slots=True)
class PreviousExtractors:
    """Photo extractors of the previous model version, and the number of listings they were first fitted on."""

    extractors: Mapping[str, ImageExtractor]
    learned_on: int


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """A trained model and its manifest, which does not have the digests of the model's files yet."""

    model: TrainedModel
    manifest: JsonObject


def read_examples(listings: Sequence[LabelledListing], photos: Photos, progress: Progress) -> list[Example]:
    """Labelled examples with their photos, or with texts only if the photo cannot be fetched."""

    def read(listing: LabelledListing) -> Example:
        photo: bytes | None = None
        if listing.photo is not None:
            try:
                photo = photos.fetch(listing.photo).content
            except (PermanentFailure, TransientFailure):
                photo = None
        evidence = Evidence(listing.name, listing.description, listing.attributes, photo)
        photo_hash = perceptual_hash(evidence.photo) if evidence.photo else None
        return Example(listing.external_id, evidence, listing.category, photo_hash=photo_hash)

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
    """Train a model and evaluate it on held-out folds.

    Photo extractors continue from those of the ``previous`` version, unless there are more than REFIT_GROWTH times as
    many listings as they were first fitted on. Raises
    InvalidInput when there are too few examples, Unavailable when an extractor's weights are missing.
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
    options = replace(options, weights=_find_installed_weights(options.image_extractors, weights_path))
    previous = _reusable_extractors(previous, options.image_extractors, len(examples))
    result = train(
        examples,
        options,
        progress=stage(progress, start, 1.0),
        previous=previous.extractors if previous else None,
        entries=plan.entries,
    )
    image_model = result.model.image
    manifest: JsonObject = {
        "taxonomy": plan.taxonomy,
        "image_extractors": list(image_model.extractors if image_model else options.image_extractors),
        "tried": [set_result.as_json() for set_result in compared],
        "learned_on": previous.learned_on if previous else len(examples),
    }
    return TrainedVersion(result.model, manifest | result.report.as_json())


def rank_photo_extractors(report: Mapping[str, Any]) -> list[str]:
    """The photo extractors in a study's report, best first: by held-out accuracy, else by the ARI of protocol B."""
    by_accuracy = [
        (float(row["accuracy"]["mean"]), str(row["extractor"]))
        for row in report.get("supervised") or ()
        if row.get("modality") == Modality.IMAGE and row.get("accuracy")
    ]
    by_ari = [
        (float(row["ari"]["mean"]), str(row["extractor"]))
        for row in report.get("trials") or ()
        if row.get("modality") == Modality.IMAGE and row.get("protocol") == StudyProtocol.B and row.get("ari")
    ]
    return [name for _, name in sorted(by_accuracy or by_ari, key=lambda scored: -scored[0])]


def default_extractors(report: Mapping[str, Any] | None, weights_path: WeightsPath) -> tuple[str, ...]:
    """The photo extractors to try where none are named: the default ones, and the best one of the latest study.

    Installed networks that the study did not measure, as their weights were installed later, are added. Without a
    study, only the default ones are tried. Extractors whose weights are not installed are left out.
    """
    photo_specs = [spec for spec in EXTRACTORS if spec.modality is Modality.IMAGE]
    usable = [spec.name for spec in photo_specs if not spec.takes_weights or find_weights(spec.name, weights_path)]
    default = [name for name in DEFAULT_PHOTO_EXTRACTORS if name in usable]
    ranked = [name for name in rank_photo_extractors(report or {}) if name in usable]
    unmeasured = [spec.name for spec in photo_specs if spec.takes_weights and spec.name in usable] if ranked else []
    return tuple(dict.fromkeys([*default, *ranked[:1], *(name for name in unmeasured if name not in ranked)]))


def _reusable_extractors(
    previous: PreviousExtractors | None, names: Sequence[str], n_listings: int
) -> PreviousExtractors | None:
    """The extractors that a training on ``n_listings`` continues from; None if it starts from scratch."""
    if previous is None or n_listings > REFIT_GROWTH * previous.learned_on:
        return None
    reusable = {
        name: extractor
        for name, extractor in previous.extractors.items()
        if name in names and can_continue_from(extractor, load_extractor(name)())
    }
    return PreviousExtractors(reusable, previous.learned_on) if reusable else None


def _compare_sets(
    examples: Sequence[Example], options: TrainingOptions, weights_path: WeightsPath, progress: Progress
) -> list[SetResult]:
    networks = [spec.name for spec in EXTRACTORS if spec.modality is Modality.IMAGE and spec.takes_weights]
    weights = _find_installed_weights(networks, weights_path)
    return compare_sets(examples, candidate_sets(list(weights)), replace(options, weights=weights), progress=progress)


def _find_installed_weights(names: Sequence[str], weights_path: WeightsPath) -> dict[str, str]:
    return {name: path for name in names if (path := find_weights(name, weights_path))}
