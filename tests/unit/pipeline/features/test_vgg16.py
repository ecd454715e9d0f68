"""VGG16 from a weights file to vectors: loaded in Keras, exported, served by OpenVINO, saved and restored."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from pipeline.domain.errors import BadArtefact, Unavailable
from pipeline.features import catalogue
from pipeline.features.extractor import ImageExtractor
from pipeline.features.vgg16 import BACKBONE, VGG16
from tests.unit.pipeline.networks.samples import centred_cosines, photos, write_weights

COUNT = 6
KERAS = """
import sys
from pathlib import Path
import numpy as np
from pipeline.networks.backbones import backbone
from pipeline.networks.keras_backbone import features_keras
from pipeline.networks.keras_vgg16 import build
from tests.unit.pipeline.networks.samples import photos
row = backbone("vgg16")
network = build(row)
network.load_weights(Path(sys.argv[1]))  # Keras's own reader of such files, not ours
np.save(sys.argv[2], features_keras(network, row, photos(int(sys.argv[3]))))
"""
SERVE = """
import sys
import numpy as np
from pipeline.features.vgg16 import VGG16
from tests.unit.pipeline.networks.samples import photos
with np.load(sys.argv[1], allow_pickle=False) as arrays:
    state = {"version": 1, "backbone": "vgg16", **arrays}
np.save(sys.argv[2], VGG16.from_state(state).transform(photos(2)))
print([name for name in ("tensorflow", "keras", "openvino_telemetry.main") if name in sys.modules])
"""


@dataclass(frozen=True)
class Fitted:
    extractor: VGG16
    weights: Path
    home: Path
    vectors: NDArray[np.float32]


def python(program: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[4]).stdout


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """One export for all tests of this module: it starts tensorflow once."""
    folder = tmp_path_factory.mktemp("vgg16")
    home = folder / "home"
    home.mkdir()
    weights = write_weights(BACKBONE, folder / "weights.h5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        extractor: VGG16 = catalogue.build("vgg16", weights=str(weights)).fit(photos(1))
    return Fitted(extractor, weights, home, extractor.transform(photos(COUNT)))


def test_without_weights_it_says_what_to_do() -> None:
    with pytest.raises(Unavailable) as refusal:
        VGG16().fit([])
    assert str(refusal.value) == ("unavailable: vgg16 has no weights here; add them with: rayon models add vgg16 FILE")


def test_weights_that_are_gone_are_unavailable_too(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="rayon models add vgg16"):
        VGG16(weights=str(tmp_path / "gone.h5")).fit([])


def test_a_truncated_weights_file_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    damaged = tmp_path / "weights.h5"
    damaged.write_bytes(fitted.weights.read_bytes()[:30_000_000])
    with pytest.raises(BadArtefact, match=r"truncated.*58,889,256 bytes"):
        VGG16(weights=str(damaged)).fit([])


def test_transform_before_fit_is_refused() -> None:
    with pytest.raises(NotFittedError):
        VGG16().transform(photos(1))


def test_it_is_an_image_extractor_that_can_be_cloned() -> None:
    extractor: ImageExtractor = VGG16(weights="w.h5", threads=1)
    copy = clone(extractor)
    assert copy.get_params() == {"weights": "w.h5", "threads": 1}
    assert not hasattr(copy, "network_")


def test_vectors_have_the_width_of_the_backbone(fitted: Fitted) -> None:
    assert fitted.vectors.shape == (COUNT, 512)
    assert fitted.vectors.dtype == np.float32
    assert fitted.extractor.transform([]).shape == (0, 512)


def test_openvino_gives_the_vectors_of_keras(fitted: Fitted, tmp_path: Path) -> None:
    python(KERAS, fitted.weights, tmp_path / "keras.npy", str(COUNT))
    reference = np.load(tmp_path / "keras.npy")
    assert np.linalg.norm(reference - reference.mean(axis=0), axis=1).min() > 1  # the photos do differ
    assert centred_cosines(fitted.vectors, reference).min() >= 0.999


def test_a_fresh_interpreter_serves_the_saved_state_without_tensorflow(fitted: Fitted, tmp_path: Path) -> None:
    state = fitted.extractor.state()
    arrays = {name: part for name, part in state.items() if isinstance(part, np.ndarray)}
    assert {name: part for name, part in state.items() if name not in arrays} == {"version": 1, "backbone": "vgg16"}
    np.savez(tmp_path / "state.npz", **arrays)
    assert python(SERVE, tmp_path / "state.npz", tmp_path / "served.npy").strip() == "[]"
    np.testing.assert_allclose(np.load(tmp_path / "served.npy"), fitted.vectors[:2], rtol=1e-4, atol=1e-3)


def test_the_export_leaves_nothing_in_the_home_folder(fitted: Fitted) -> None:
    assert not (fitted.home / "intel").exists()  # where OpenVINO's reports to its makers keep their identity


@pytest.mark.parametrize("change", [{"version": 0}, {"backbone": "squeezenet"}, {"graph": None}])
def test_a_state_of_another_kind_is_refused(fitted: Fitted, change: dict[str, object]) -> None:
    with pytest.raises(BadArtefact, match="train again"):
        VGG16.from_state({**fitted.extractor.state(), **change})


def test_a_state_with_truncated_weights_is_refused(fitted: Fitted) -> None:
    state = fitted.extractor.state()
    state["network_weights"] = state["network_weights"][:1_000_000]
    with pytest.raises(BadArtefact, match="no network OpenVINO can read"):
        VGG16.from_state(state).transform(photos(1))
