"""Run benchmarks: ``python -m tests.benchmarks [name …]``. Each prints one JSON object, with its reference.

Without names all run, except ``python -m tests.benchmarks cleaning FILE``, which needs a catalogue file. ``bulk`` takes
the number of products of its export: ``python -m tests.benchmarks bulk --rows 1000000``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.sample.generator import write_catalogue
from pipeline.networks.backbones import find_backbone
from tests.benchmarks.bulk import bulk
from tests.benchmarks.cleaning import cleaning_of
from tests.benchmarks.encoder import encoder
from tests.benchmarks.engine import engine
from tests.benchmarks.latency import latency
from tests.benchmarks.memory import memory
from tests.benchmarks.networks import networks
from tests.benchmarks.photos import photos
from tests.benchmarks.study import scale, study
from tests.benchmarks.throughput import scaling, throughput
from tests.faults.stack import RunningStack, running_stack
from tests.unit.pipeline.networks.samples import write_weights

ON_A_STACK = {"latency": latency, "memory": memory, "throughput": throughput}
# Their workers have one process each.
ON_SINGLE_PROCESSES = {"scaling": scaling}
# Its model reads photos with VGG16 in int8; random weights cost the same.
ON_VGG16 = {"throughput_vgg16": throughput}
ALONE = {
    "bulk": bulk,
    "encoder": encoder,
    "engine": engine,
    "networks": networks,
    "photos": photos,
    "study": study,
    "scale": scale,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    if names[:1] == ["cleaning"]:
        if len(names) != 2:
            sys.exit("name a catalogue file: python -m tests.benchmarks cleaning FILE")
        cleaning_of(Path(names[1]))
        return
    if names[:2] == ["bulk", "--rows"]:
        if len(names) != 3 or not names[2].isdigit():
            sys.exit("say how many products: python -m tests.benchmarks bulk --rows 1000000")
        print(json.dumps({"benchmark": "bulk", **bulk(int(names[2]))}), flush=True)
        return
    known = [*ON_A_STACK, *ON_SINGLE_PROCESSES, *ON_VGG16, *ALONE]
    chosen = set(names or known)
    if unknown := chosen - set(known):
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    for name, run in ALONE.items():
        if name in chosen:
            print(json.dumps({"benchmark": name, **run()}), flush=True)
    for offered, settings, network in (
        (ON_A_STACK, {}, None),
        (ON_SINGLE_PROCESSES, {"RAYON_WORKER_SLOTS": "1"}, None),
        (ON_VGG16, {"RAYON_SERVING_PRECISION": "int8"}, "vgg16"),
    ):
        _on_a_stack({name: run for name, run in offered.items() if name in chosen}, settings, network)


def _on_a_stack(
    benchmarks: Mapping[str, Callable[[RunningStack], dict[str, Any]]], settings: dict[str, str], network: str | None
) -> None:
    """Run these, if any, on one stack that has a small catalogue and a model."""
    if not benchmarks:
        return
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "home", settings) as stack:
        catalogue = write_catalogue(Path(folder) / "catalogue", 200, seed=5)
        images = str(catalogue.parent / "images")
        stack.rayon("import", str(catalogue), "--images", images, "--source", "bench", "--wait")
        reading = []
        if network is not None:
            weights = write_weights(find_backbone(network), Path(folder) / "weights.h5")
            stack.rayon("models", "add", network, str(weights))
            reading = ["--image-extractor", network]
        stack.rayon("train", "--taxonomy", "bench", *reading)
        for name, run in benchmarks.items():
            print(json.dumps({"benchmark": name, **run(stack)}), flush=True)


main(sys.argv[1:])
