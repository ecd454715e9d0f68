"""Train: labelled listings become a model version: bundle, manifest and held-out figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.classification.extractor_selection import BUILT_IN, SetResult, candidate_sets, choose_set, compare_sets
from pipeline.classification.feature_extraction import can_continue_from
from pipeline.classification.photo_reader import prefetch
from pipeline.classification.trained_model import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.errors import InvalidInput, PermanentFailure, TransientFailure
from pipeline.domain.extractors import EXTRACTORS
from pipeline.domain.listing import Evidence, Example, LabelledListing
from pipeline.domain.prediction import Modality
from pipeline.domain.study import Protocol
from pipeline.features import extractor
from pipeline.features.extractor import ImageExtractor
from pipeline.features.pretrained_weights import find_weights
from pipeline.ports.services import Photos

READ_THREADS = 8
FEWEST_EXAMPLES = 10
OUTGROWN = 1.5  # times the listings that a vocabulary was first learned on, beyond which it is learned anew
TRYING = 0.7  # the share of the time that trying sets of extractors takes, for the bar


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to train: ``level`` None chooses the deepest taxonomy level with enough listings per category.

    ``choose`` tries sets of photo extractors instead and takes the ``fastest``, the ``best``, or the best within so
    many milliseconds a photo. ``views`` of each photo are learned from where that helps, and with ``finetune`` a
    network that is the only extractor is fine-tuned where that helps. ``computing`` is the precision that networks
    serve in: ``auto``, int8, bf16 or fp32.
    """

    taxonomy: str
    level: int | None = None
    image_extractors: tuple[str, ...] = (BUILT_IN,)
    choose: str | None = None
    views: int = 0
    finetune: bool = False
    seed: int = 0
    precision_target: float = 0.95
    computing: str = "auto"


@dataclass(frozen=True, slots=True)
class Former:
    """Photo extractors of the model version before, and how many listings they were first ``learned_on``."""

    extractors: Mapping[str, ImageExtractor]
    learned_on: int


@dataclass(frozen=True, slots=True)
class TrainedVersion:
    """The bundle, and the manifest that explains it (without the digests of its files)."""

    model: TrainedModel
    manifest: Mapping[str, Any]


def read_examples(
    listings: Sequence[LabelledListing], photos: Photos, progress: Callable[[float], None]
) -> list[Example]:
    """Examples with their photos; a photo that cannot be had leaves its listing to its text."""

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
        progress(len(examples) / len(listings))
    return examples


def train_version(
    examples: Sequence[Example],
    recipe: Recipe,
    weights_path: Callable[[str], Path],
    progress: Callable[[float, str], None],
    former: Former | None = None,
) -> TrainedVersion:
    """Train and measure on held-out folds. InvalidInput when there is too little to learn from, Unavailable when an
    extractor's weights are missing.

    What photos look like is learned on from the ``former`` version, until the catalogue has outgrown it.
    """
    if len(examples) < FEWEST_EXAMPLES:
        raise InvalidInput(
            f"{len(examples)} listings of '{recipe.taxonomy}' have a category; at least {FEWEST_EXAMPLES} are needed "
            "to train. Import a catalogue with categories, or review some listings"
        )
    tried: list[SetResult] = []
    extractors, begun = recipe.image_extractors, 0.0
    if recipe.choose is not None:
        begun = TRYING
        tried = _try(examples, recipe, weights_path, lambda share, note: progress(TRYING * share, note))
        extractors = choose_set(tried, recipe.choose).extractors
    former = _still_good(former, extractors, len(examples))
    model, manifest = train(
        examples,
        level=recipe.level,
        image_extractors=extractors,
        weights=_weights(extractors, weights_path),
        seed=recipe.seed,
        target=recipe.precision_target,
        views=recipe.views,
        finetune=recipe.finetune,
        computing=recipe.computing,
        former=former.extractors if former else None,
        progress=lambda share, note: progress(begun + (1 - begun) * share, note),
    )
    about: dict[str, Any] = {
        "taxonomy": recipe.taxonomy,
        "image_extractors": list(extractors),
        "tried": [each.row() for each in tried],
        "learned_on": former.learned_on if former else len(examples),
    }
    return TrainedVersion(model, {**about, **manifest})


def best_for_photos(report: Mapping[str, Any]) -> list[str]:
    """The photo extractors of a study's report, best first: by held-out accuracy, else by agreement with categories."""
    judged = [
        (float(row["accuracy"]["mean"]), str(row["extractor"]))
        for row in report.get("supervised") or ()
        if row.get("modality") == Modality.IMAGE and row.get("accuracy")
    ]
    clustered = [
        (float(row["ari"]["mean"]), str(row["extractor"]))
        for row in report.get("trials") or ()
        if row.get("modality") == Modality.IMAGE and row.get("protocol") == Protocol.B and row.get("ari")
    ]
    return [name for _, name in sorted(judged or clustered, key=lambda each: -each[0])]


def default_extractors(report: Mapping[str, Any] | None, weights_path: Callable[[str], Path]) -> tuple[str, ...]:
    """What photos are described by where nobody says: the latest study's best whose weights are here, else fisher.

    Beside it, each network whose weights came after that study, which could not judge it.
    """
    photos = [row for row in EXTRACTORS if row.modality is Modality.IMAGE]
    usable = [row.name for row in photos if not row.takes_weights or find_weights(row.name, weights_path)]
    ranked = best_for_photos(report or {})
    best = next((name for name in ranked if name in usable), BUILT_IN)
    unjudged = [row.name for row in photos if row.takes_weights and row.name in usable and row.name not in ranked]
    return (best, *unjudged)


def _still_good(former: Former | None, names: Sequence[str], count: int) -> Former | None:
    """Those of the former extractors that a training of ``count`` listings goes on from; None when it begins anew."""
    if former is None or count > OUTGROWN * former.learned_on:
        return None
    known = {name: each for name, each in former.extractors.items() if name in names}
    good = {name: each for name, each in known.items() if can_continue_from(each, extractor.load_extractor(name)())}
    return Former(good, former.learned_on) if good else None


def _try(
    examples: Sequence[Example],
    recipe: Recipe,
    weights_path: Callable[[str], Path],
    progress: Callable[[float, str], None],
) -> list[SetResult]:
    networks = [row.name for row in EXTRACTORS if row.modality is Modality.IMAGE and row.takes_weights]
    weights = _weights(networks, weights_path)
    return compare_sets(
        examples,
        candidate_sets(list(weights)),
        level=recipe.level,
        weights=weights,
        seed=recipe.seed,
        views=recipe.views,
        progress=progress,
    )


def _weights(names: Sequence[str], weights_path: Callable[[str], Path]) -> dict[str, str]:
    return {name: path for name in names if (path := find_weights(name, weights_path))}
