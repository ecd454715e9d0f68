"""Each pretrained photo extractor from a weights file to vectors: loaded, exported, served, saved, restored."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.features import catalogue
from pipeline.features.extractor import ImageExtractor
from pipeline.features.pretrained import PretrainedNetwork
from pipeline.networks.backbones import BACKBONES, backbone
from tests.unit.pipeline.networks.samples import centred_cosines, photos, write_weights

COUNT = 6
NAMES = [row.name for row in BACKBONES]
each_network = pytest.mark.parametrize("name", NAMES)
KERAS = """
import sys
from importlib import import_module
from pathlib import Path
import numpy as np
from pipeline.networks.backbones import backbone
from pipeline.networks.keras_backbone import features_keras
from tests.unit.pipeline.networks.samples import photos
row = backbone(sys.argv[1])
network = import_module(row.builder.partition(":")[0]).build(row)
network.load_weights(Path(sys.argv[2]))  # Keras's own reader of such files, not ours
np.save(sys.argv[3], features_keras(network, row, photos(int(sys.argv[4]))))
"""
SERVE = """
import sys
import numpy as np
from pipeline.features import catalogue
from tests.unit.pipeline.networks.samples import photos
with np.load(sys.argv[2], allow_pickle=False) as arrays:
    state = {"version": 1, "backbone": sys.argv[1], **arrays}
np.save(sys.argv[3], catalogue.load(sys.argv[1]).from_state(state).transform(photos(2)))
heavy = ("tensorflow", "keras", "sklearn", "openvino_telemetry.main")
print([name for name in heavy if name in sys.modules])
"""


@dataclass(frozen=True)
class Fitted:
    name: str
    extractor: PretrainedNetwork
    weights: Path
    home: Path
    vectors: NDArray[np.float32]


def python(program: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[4]).stdout


@pytest.fixture(scope="module", params=NAMES)
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """One export of each network for all tests of this module: it starts tensorflow once."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    home = folder / "home"
    home.mkdir()
    weights = write_weights(backbone(name), folder / "weights.h5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        extractor: PretrainedNetwork = catalogue.build(name, weights=str(weights)).fit(photos(1))
    return Fitted(name, extractor, weights, home, extractor.transform(photos(COUNT)))


def test_every_backbone_has_an_extractor_that_takes_its_weights() -> None:
    for row in BACKBONES:
        assert catalogue.row(row.name).takes_weights
        assert catalogue.load(row.name).backbone is row


@each_network
def test_without_weights_it_says_what_to_do(name: str) -> None:
    with pytest.raises(Unavailable) as refusal:
        catalogue.build(name).fit([])
    said = f"unavailable: {name} has no weights here; add them with: rayon models add {name} FILE"
    assert str(refusal.value) == said


@each_network
def test_weights_that_are_gone_are_unavailable_too(name: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=f"gone.h5; add them with: rayon models add {name}"):
        catalogue.build(name, weights=str(tmp_path / "gone.h5")).fit([])


@each_network
def test_it_is_an_image_extractor_that_can_be_cloned(name: str) -> None:
    extractor: ImageExtractor = catalogue.load(name)(weights="w.h5", threads=1)
    copy = clone(extractor)
    assert copy.get_params() == {"weights": "w.h5", "threads": 1}
    assert not hasattr(copy, "network_")


def test_a_truncated_weights_file_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    damaged = tmp_path / "weights.h5"
    content = fitted.weights.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    size = f"{backbone(fitted.name).published.size:,} bytes"
    for use in (lambda: clone(fitted.extractor).set_params(weights=str(damaged)).fit([]),
                lambda: fitted.extractor.keepable(str(damaged), tmp_path)):  # fmt: skip
        with pytest.raises(BadArtefact, match=f"truncated.*{size}"):
            use()


def test_weights_of_the_layout_can_be_kept_and_are_known_not_to_be_the_published_ones(
    fitted: Fitted, tmp_path: Path
) -> None:
    kept = fitted.extractor.keepable(str(fitted.weights), tmp_path)
    assert kept.path == fitted.weights
    assert kept.published is False


def test_vectors_have_the_width_of_the_backbone(fitted: Fitted) -> None:
    width = backbone(fitted.name).width
    assert fitted.vectors.shape == (COUNT, width)
    assert fitted.vectors.dtype == np.float32
    assert fitted.extractor.transform([]).shape == (0, width)


def test_openvino_gives_the_vectors_of_keras(fitted: Fitted, tmp_path: Path) -> None:
    python(KERAS, fitted.name, fitted.weights, tmp_path / "keras.npy", str(COUNT))
    reference = np.load(tmp_path / "keras.npy")
    assert np.linalg.norm(reference - reference.mean(axis=0), axis=1).min() > 1  # the photos do differ
    assert centred_cosines(fitted.vectors, reference).min() >= 0.999


def test_a_fresh_interpreter_serves_the_saved_state_without_tensorflow(fitted: Fitted, tmp_path: Path) -> None:
    state = fitted.extractor.state()
    arrays = {name: part for name, part in state.items() if isinstance(part, np.ndarray)}
    rest = {name: part for name, part in state.items() if name not in arrays}
    assert rest == {"version": 1, "backbone": fitted.name}
    np.savez(tmp_path / "state.npz", **arrays)
    assert python(SERVE, fitted.name, tmp_path / "state.npz", tmp_path / "served.npy").strip() == "[]"
    np.testing.assert_allclose(np.load(tmp_path / "served.npy"), fitted.vectors[:2], rtol=1e-4, atol=1e-3)


def test_the_export_leaves_nothing_in_the_home_folder(fitted: Fitted) -> None:
    assert not (fitted.home / "intel").exists()  # where OpenVINO's reports to its makers keep their identity


@pytest.mark.parametrize("change", [{"version": 0}, {"backbone": "another"}, {"graph": None}])
def test_a_state_of_another_kind_is_refused(fitted: Fitted, change: dict[str, object]) -> None:
    with pytest.raises(BadArtefact, match="train again"):
        fitted.extractor.from_state({**fitted.extractor.state(), **change})


def test_a_state_with_truncated_weights_is_refused(fitted: Fitted) -> None:
    state = fitted.extractor.state()
    state["network_weights"] = state["network_weights"][:100_000]
    with pytest.raises(BadArtefact, match="no network OpenVINO can read"):
        fitted.extractor.from_state(state).transform(photos(1))
