"""Photos a second of each backbone in int8 on one core, from the decoded photo to its vector, beside VGG16's.

Networks are timed in turns, by the processor time of this process, and the fastest turn counts, so that other work on
the machine matters little. Weights are random, which costs the same, except those that come with the installation.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.domain.bundled_weights import bundled_weights
from pipeline.features.extractor import load_extractor
from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.backbones import BACKBONES, network_inputs
from pipeline.networks.engine import OpenVinoEngine
from pipeline.networks.precision import Precision
from tests.benchmarks.engine_network import drawn_photos
from tests.unit.pipeline.networks.samples import write_weights

TURNS = 15
CALIBRATION_PHOTOS = 16
REFERENCE = "vgg16"


def networks() -> dict[str, Any]:
    """Milliseconds of one input and of one photo (with all its inputs), and multiples of VGG16's photos a second."""
    photos = drawn_photos(CALIBRATION_PHOTOS)
    with TemporaryDirectory(prefix="rayon-bench-") as folder:
        extractors = {backbone.name: _fitted(backbone.name, Path(folder), photos) for backbone in BACKBONES}
    inputs = {backbone.name: network_inputs(backbone, photos[0], 1) for backbone in BACKBONES}
    engines = {name: OpenVinoEngine(extractor.network_, threads=1) for name, extractor in extractors.items()}
    input_seconds, photo_seconds = dict.fromkeys(extractors, float("inf")), dict.fromkeys(extractors, float("inf"))
    for _ in range(TURNS):
        for name, extractor in extractors.items():
            input_seconds[name] = min(input_seconds[name], _seconds(lambda n=name: engines[n].transform(inputs[n])))
            photo_seconds[name] = min(photo_seconds[name], _seconds(lambda e=extractor: e.transform(photos[:1])))
    return {
        name: {
            "inputs_per_photo": extractor.backbone.inputs_per_photo,
            "ms_per_input": round(1000 * input_seconds[name], 2),
            "ms_per_photo": round(1000 * photo_seconds[name], 2),
            "inputs_to_vgg16": round(input_seconds[REFERENCE] / input_seconds[name], 1),
            "photos_to_vgg16": round(photo_seconds[REFERENCE] / photo_seconds[name], 1),
        }
        for name, extractor in extractors.items()
    }


def _fitted(name: str, folder: Path, photos: list[Any]) -> PretrainedNetwork:
    extractor_class: type[PretrainedNetwork] = load_extractor(name)
    bundled = bundled_weights(name)
    suffix = Path(extractor_class.backbone.published.name).suffix
    weights = bundled.path if bundled else write_weights(extractor_class.backbone, folder / f"{name}{suffix}")
    return extractor_class(weights=str(weights), threads=1, precision=Precision.INT8.value).fit(photos)


def _seconds(run: Any) -> float:
    run()  # untimed: another network's maps fill the caches
    begun = time.process_time()
    run()
    return time.process_time() - begun
