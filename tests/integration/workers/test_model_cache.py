"""The models a worker keeps: the same answers from OpenVINO, and from Keras where there is no OpenVINO."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from infra.sample.generator import PhotoKind, generate
from infra.storage.filesystem import FilesystemStorage
from infra.storage.model_registry import StorageModelRegistry
from pipeline.classification.training import train
from pipeline.domain.errors import BadArtefact
from pipeline.domain.listing import Evidence, Example
from pipeline.domain.model_version import ActiveModel
from pipeline.domain.training import TrainingOptions
from pipeline.networks.backbones import find_backbone
from tests.unit.pipeline.networks.samples import write_weights
from workers.model_cache import ModelCache

ANSWER = """
import json, sys
from pathlib import Path
sys.modules.update(dict.fromkeys(("matplotlib", "pandas", "sklearn")))  # Keras starts sooner without them
sys.modules["openvino"] = None
from infra.storage.model_registry import StorageModelRegistry
from infra.storage.filesystem import FilesystemStorage
from pipeline.domain.listing import Evidence
from pipeline.domain.model_version import ActiveModel
from workers.model_cache import ModelCache
home, digests, photo = Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3]).read_bytes()
registry = StorageModelRegistry(FilesystemStorage(home / "storage", "http://x", "s"), home / "cache")
for keras in (True, False):
    model = ModelCache(registry, use_keras=keras)(ActiveModel(1, "v1", digests))
    try:
        (answer,) = model.answer([Evidence("", "", {}, photo)])
        print(json.dumps({each.category: each.probability for each in answer.image.ranked}))
    except Exception as error:
        print(json.dumps(str(error)))
"""


def test_a_worker_of_role_tensorflow_answers_without_openvino_from_the_weights_it_was_trained_with(
    tmp_path: Path,
) -> None:
    registry = StorageModelRegistry(FilesystemStorage(tmp_path / "storage", "http://x", "s"), tmp_path / "cache")
    weights = write_weights(find_backbone("squeezenet"), tmp_path / "weights.h5")
    digest = registry.add_weights("squeezenet", weights)
    drawn = [each for each in generate(60) if each.photo_kind is PhotoKind.OWN][:24]
    examples = [Example(e.external_id, Evidence("", "", {}, e.jpeg()), e.category) for e in drawn]
    paths = {"squeezenet": str(registry.weights_path("squeezenet"))}
    options = TrainingOptions(level=1, image_extractors=("squeezenet",), weights=paths, network_precision="fp32")
    result = train(examples, options)
    assert result.report.networks["squeezenet"].weights_sha256 == digest
    digests = dict(registry.save("v1", result.model.files()))
    other = tmp_path / "other.h5"
    other.write_bytes(b"weights that were added later")
    registry.add_weights("squeezenet", other)

    (tmp_path / "photo.jpg").write_bytes(examples[0].evidence.photo or b"")
    held = ModelCache(registry, threads=1)(ActiveModel(1, "v1", digests))
    assert held.reader.extractors["squeezenet"].threads == 1  # type: ignore[attr-defined]
    (answer,) = held.answer([examples[0].evidence])
    assert answer.image is not None
    command = [sys.executable, "-c", ANSWER, str(tmp_path), json.dumps(digests), str(tmp_path / "photo.jpg")]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    by_keras, without = (json.loads(line) for line in said if line.startswith(("{", '"')))
    assert "openvino is not installed here; serve squeezenet with a worker of role tensorflow" in without
    assert by_keras.keys() == {each.category for each in answer.image.ranked}
    ours = [each.probability for each in answer.image.ranked]
    np.testing.assert_allclose([by_keras[each.category] for each in answer.image.ranked], ours, atol=0.01)

    held.reader.extractors["squeezenet"].weights_sha256_ = None  # type: ignore[attr-defined]
    nameless = dict(registry.save("v0", held.files()))
    with pytest.raises(BadArtefact, match="does not say which weights"):
        ModelCache(registry, use_keras=True)(ActiveModel(2, "v0", nameless))
