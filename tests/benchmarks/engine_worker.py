"""Children of serving workers (``engine_child``), started one after the other: time to the first answer, and memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from infra.sample.generator import PhotoKind, generate
from infra.storage.filesystem import FilesystemStorage
from infra.storage.model_registry import StorageModelRegistry
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.training import TrainingOptions

LISTINGS = 24
STARTS = 3
KERAS = "vgg16 by Keras"


def starts(home: Path, weights: Path) -> dict[str, Any]:
    """By kind of worker: seconds from its start to its first answer, unique MB, and whether it loaded Keras.

    Modules are compiled before, as after an installation: the first start of each kind is not counted.
    """
    from pipeline.classification.training import train

    registry = StorageModelRegistry(FilesystemStorage(home / "objects", "http://x", "s"), home / "cache")
    registry.add_weights("vgg16", weights)
    drawn = [each for each in generate(2 * LISTINGS) if each.photo_kind is PhotoKind.OWN][:LISTINGS]
    examples = [
        Example(each.external_id, Evidence(each.name, each.description, {}, each.jpeg()), each.category)
        for each in drawn
    ]
    photo = home / "photo.jpg"
    photo.write_bytes(examples[0].evidence.photo or b"")
    versions = {}
    for name in ("vgg16", "fisher"):
        kept = {"vgg16": str(registry.weights_path("vgg16"))}
        options = TrainingOptions(level=1, image_extractors=(name,), weights=kept, network_precision="int8")
        model = train(examples, options).model
        versions[name] = dict(registry.save(name, model.files()))
    kinds = {
        "vgg16 int8": ("vgg16", "openvino"),
        "fisher": ("fisher", "openvino"),
        "vgg16 by Keras": ("vgg16", "keras"),
    }
    seen: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for turn in range(1 + STARTS):
        for kind, (name, engine) in kinds.items():
            row = _start(home, name, versions[name], photo, engine)
            if turn:
                seen[kind].append(row)
    found: dict[str, Any] = {}
    for kind, rows in seen.items():
        found[kind] = {
            "start_to_answer_s": round(statistics.median(row["seconds"] for row in rows), 2),
            "start_cpu_s": round(statistics.median(row["cpu"] for row in rows), 2),
            "unique_mb": round(statistics.median(row["unique"] for row in rows) / 1e6, 1),
            "tensorflow": rows[0]["tensorflow"],
        }
        shares = [row["seconds"] / keras["seconds"] for row, keras in zip(rows, seen[KERAS], strict=True)]
        found[kind]["start_to_that_of_keras"] = round(statistics.median(shares), 3)
    return found


def _start(home: Path, version: str, digests: Mapping[str, str], photo: Path, engine: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.engine_child"]
    command += [str(home), version, json.dumps(dict(digests)), str(photo), engine]
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(home / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        said = ""
        while not said.startswith("{"):  # Keras prints lines of its own
            said = child.stdout.readline()
            assert said, "the worker ended without an answer"
        seconds = time.perf_counter() - begun
        process = psutil.Process(child.pid)
        spent, unique = process.cpu_times(), process.memory_full_info().uss
        child.stdin.close()
    return {**json.loads(said), "seconds": seconds, "cpu": spent.user + spent.system, "unique": unique}
