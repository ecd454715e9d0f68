"""Train: labelled listings become a model version: bundle, manifest and held-out figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.classification.bundle import TrainedModel
from pipeline.classification.training import train
from pipeline.domain.errors import InvalidInput, PermanentFailure, TransientFailure
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.work import LabelledListing
from pipeline.features.weights import find
from pipeline.ports import Photos

READ_THREADS = 8
FEWEST_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to train: ``level`` None chooses the deepest taxonomy level with enough listings per category."""

    taxonomy: str
    level: int | None = None
    image_extractors: tuple[str, ...] = ("fisher",)
    seed: int = 0
    precision_target: float = 0.95


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
    with ThreadPoolExecutor(READ_THREADS) as pool:
        for example in pool.map(read, listings):
            examples.append(example)
            progress(len(examples) / len(listings))
    return examples


def train_version(
    examples: Sequence[Example],
    recipe: Recipe,
    weights_path: Callable[[str], Path],
    progress: Callable[[float, str], None],
) -> TrainedVersion:
    """Train and measure on held-out folds. InvalidInput when there is too little to learn from, Unavailable when an
    extractor's weights are missing."""
    if len(examples) < FEWEST_EXAMPLES:
        raise InvalidInput(
            f"{len(examples)} listings of '{recipe.taxonomy}' have a category; at least {FEWEST_EXAMPLES} are needed "
            "to train. Import a catalogue with categories, or review some listings"
        )
    weights = {name: path for name in recipe.image_extractors if (path := find(name, weights_path))}
    model, manifest = train(
        examples,
        level=recipe.level,
        image_extractors=recipe.image_extractors,
        weights=weights,
        seed=recipe.seed,
        progress=progress,
    )
    return TrainedVersion(model, {"taxonomy": recipe.taxonomy, **manifest})
