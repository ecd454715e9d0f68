"""The accuracy that a faster precision costs on a catalogue, by the gate that trainings use.

``python -m tests.benchmarks.engine_precision CATALOGUE PHOTOS EXTRACTOR WEIGHTS`` prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from pipeline.classification import network_precision
from pipeline.classification.listing_groups import group_listings
from pipeline.classification.photo_reader import PhotoReader
from pipeline.classification.targets import select_labelled
from pipeline.domain.progress import no_progress
from pipeline.domain.training import TrainingOptions
from pipeline.features.extractor import load_extractor
from workers.commands.evaluate import read_labelled_rows


def precision_of(file: Path, photos: Path, extractor: str, weights: str, level: int = 1) -> None:
    """Print the accuracies, the choice and the reason."""
    labelled = select_labelled([row.example for row in read_labelled_rows(file, photos, no_progress)], level)
    grouped = group_listings(labelled.examples, labelled.listing_categories, network_precision.FOLDS)
    network = load_extractor(extractor)(weights=weights).fit([])
    begun = time.perf_counter()
    choice = network_precision.choose_precisions(
        {extractor: network}, labelled, grouped, TrainingOptions(), PhotoReader, no_progress
    )
    seconds = round(time.perf_counter() - begun, 1)
    row = {"benchmark": "precision", "extractor": extractor, "categories": len(labelled.categories)}
    print(json.dumps({**row, **choice.networks[extractor].as_json(), "seconds": seconds}))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("say: python -m tests.benchmarks.engine_precision CATALOGUE PHOTOS EXTRACTOR WEIGHTS")
    precision_of(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
