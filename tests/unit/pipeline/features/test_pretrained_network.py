"""Each pretrained photo extractor from a weights file to vectors: loaded, exported, served, saved, restored."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from pipeline.domain.bundled_weights import bundled_weights
from pipeline.domain.errors import BadArtefact, InvalidInput, Unavailable
from pipeline.domain.extractors import extractor_spec
from pipeline.features import weights_lookup
from pipeline.features.extractor import ImageExtractor, build_extractor, load_extractor
from pipeline.features.pretrained_network import PretrainedNetwork
from pipeline.networks.backbones import BACKBONES, find_backbone
from tests.unit.pipeline.networks.samples import centred_cosines, photos, write_weights

# The exports that these tests share are made once.
pytestmark = pytest.mark.xdist_group("networks")
COUNTS = {
    "efficientnet": 6,
    "efficientnet_lite2": 6,
    "vgg16": 3,
    "squeezenet": 6,
}  # photos: for the large network as few as still have a mean
# Lowest cosines about the mean. A deep network without dense convolutions magnifies every rounding, on drawn photos of
# waves more than on real ones, and most of all with random weights, as those of EfficientNet-Lite2 are here.
LOWEST = {"fp32": 0.999, "bf16": 0.99, "int8": 0.9}
LOWEST_OF_NETWORK = {
    "efficientnet": {"fp32": 0.999, "bf16": 0.97, "int8": 0.5},
    "efficientnet_lite2": {"fp32": 0.95, "bf16": 0.0, "int8": 0.0},
}
NAMES = [backbone.name for backbone in BACKBONES]
each_network = pytest.mark.parametrize("name", NAMES)
KERAS = """
import sys
sys.modules.update(dict.fromkeys(("matplotlib", "pandas", "sklearn")))  # Keras starts sooner without them
from importlib import import_module
from pathlib import Path
import numpy as np
from pipeline.features.extractor import build_extractor, load_extractor
from pipeline.networks.backbones import find_backbone, network_inputs
from tests.unit.pipeline.networks.samples import photos
name, weights, folder, count = sys.argv[1:]
backbone, drawn = find_backbone(name), photos(int(count))
module, _, function = backbone.builder.partition(":")
if weights.endswith(".h5"):
    network = getattr(import_module(module), function)(backbone)
    network.load_weights(Path(weights))  # Keras's own reader of such files, not ours
else:
    network = import_module("pipeline.networks.keras_backbone").load_backbone(backbone, Path(weights))
per_photo = [network_inputs(backbone, photo, backbone.inputs_per_photo) for photo in drawn]
batches = [np.concatenate(inputs) for inputs in zip(*per_photo)]
np.save(folder + "/reference.npy", np.mean([network.predict_on_batch(batch) for batch in batches], axis=0))
for precision in ("fp32", "bf16"):
    with np.load(f"{folder}/{precision}.npz", allow_pickle=False) as arrays:
        about = {"version": 1, "backbone": name, "precision": precision, "looks": backbone.inputs_per_photo}
        state = about | dict(arrays)
    served = load_extractor(name).from_state(state).set_params(engine="keras", weights=weights)
    np.save(f"{folder}/keras-{precision}.npy", served.transform(drawn))
"""
SERVE = """
import sys
import numpy as np
from pipeline.features.extractor import build_extractor, load_extractor
from pipeline.networks.backbones import find_backbone
from tests.unit.pipeline.networks.samples import photos
with np.load(sys.argv[2], allow_pickle=False) as arrays:
    looks = find_backbone(sys.argv[1]).inputs_per_photo
    state = {"version": 1, "backbone": sys.argv[1], "precision": sys.argv[4], "looks": looks, **arrays}
np.save(sys.argv[3], load_extractor(sys.argv[1]).from_state(state).transform(photos(2)))
heavy = ("tensorflow", "keras", "sklearn", "nncf", "openvino_telemetry.main", "openvino.tools.ovc", "absl")
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
    suffix, bundled = Path(find_backbone(name).published.name).suffix, bundled_weights(name)
    weights = bundled.path if bundled else write_weights(find_backbone(name), folder / f"weights{suffix}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        extractor: PretrainedNetwork = load_extractor(name)(weights=str(weights)).fit(photos(1))
    return Fitted(name, extractor, weights, home, extractor.transform(photos(COUNTS[name])))


def test_every_backbone_has_an_extractor_that_takes_its_weights() -> None:
    for backbone in BACKBONES:
        assert extractor_spec(backbone.name).takes_weights
        assert load_extractor(backbone.name).backbone is backbone


def commands(name: str) -> str:
    fetch = f"rayon models fetch {name}, or: " if extractor_spec(name).published else ""
    return f"run: {fetch}rayon models add {name} FILE"


@each_network
def test_without_weights_the_error_names_the_commands(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_lookup, "bundled_weights", lambda _: None)
    with pytest.raises(Unavailable) as refusal:
        build_extractor(name).fit([])
    assert str(refusal.value) == f"{name} has no weights here; {commands(name)}"


@each_network
def test_weights_that_are_gone_are_unavailable_too(name: str, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=f"gone.h5; {commands(name)}"):
        build_extractor(name, weights=str(tmp_path / "gone.h5")).fit([])


@each_network
def test_it_can_be_cloned(name: str) -> None:
    extractor: ImageExtractor = load_extractor(name)(weights="w.h5", threads=1)
    copy = clone(extractor)
    assert copy.get_params() == {
        "weights": "w.h5", "threads": 1, "precision": "fp32", "engine": "openvino", "inputs_per_photo": 0
    }  # fmt: skip
    assert not hasattr(copy, "network_")


def test_a_truncated_weights_file_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    damaged = tmp_path / fitted.weights.name
    content = fitted.weights.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    size = f"{find_backbone(fitted.name).published.size:,} bytes"
    for use in (lambda: clone(fitted.extractor).set_params(weights=str(damaged)).fit([]),
                lambda: fitted.extractor.check_weights(str(damaged), tmp_path)):  # fmt: skip
        with pytest.raises(BadArtefact, match=f"truncated.*{size}"):
            use()


def test_weights_of_the_layout_are_accepted_and_known_to_be_the_published_ones_or_not(
    fitted: Fitted, tmp_path: Path
) -> None:
    checked = fitted.extractor.check_weights(str(fitted.weights), tmp_path)
    assert checked.path == fitted.weights
    assert checked.published is (bundled_weights(fitted.name) is not None)


def test_vectors_have_the_width_of_the_backbone(fitted: Fitted) -> None:
    width = find_backbone(fitted.name).width
    assert fitted.vectors.shape == (COUNTS[fitted.name], width)
    assert fitted.vectors.dtype == np.float32
    assert fitted.extractor.transform([]).shape == (0, width)


def saved(extractor: PretrainedNetwork, path: Path) -> dict[str, object]:
    """The state's arrays as a file, and the rest of it."""
    state = extractor.state()
    arrays: dict[str, Any] = {name: part for name, part in state.items() if isinstance(part, np.ndarray)}
    np.savez(path, **arrays)
    return {name: part for name, part in state.items() if name not in arrays}


def at(fitted: Fitted, precision: str) -> PretrainedNetwork:
    extractor: PretrainedNetwork = clone(fitted.extractor).set_params(precision=precision)
    return extractor.fit(photos(COUNTS[fitted.name]))


def lowest_cosines(name: str) -> dict[str, float]:
    return LOWEST_OF_NETWORK.get(name, LOWEST)


def test_training_export_and_serving_give_the_same_vectors_through_both_engines(fitted: Fitted, tmp_path: Path) -> None:
    in_bf16 = at(fitted, "bf16")
    saved(fitted.extractor, tmp_path / "fp32.npz")
    saved(in_bf16, tmp_path / "bf16.npz")
    count = COUNTS[fitted.name]
    python(KERAS, fitted.name, fitted.weights, tmp_path, str(count))
    reference = np.load(tmp_path / "reference.npy")
    assert np.linalg.norm(reference - reference.mean(axis=0), axis=1).min() > 1  # the photos do differ
    low = lowest_cosines(fitted.name)
    assert centred_cosines(fitted.vectors, reference).min() >= low["fp32"]
    assert centred_cosines(np.load(tmp_path / "keras-fp32.npy"), reference).min() >= 0.999
    assert centred_cosines(in_bf16.transform(photos(count)), reference).min() >= low["bf16"]
    assert centred_cosines(np.load(tmp_path / "keras-bf16.npy"), reference).min() >= low["bf16"]


def test_a_fresh_interpreter_serves_the_saved_state_without_tensorflow(fitted: Fitted, tmp_path: Path) -> None:
    digest = hashlib.sha256(fitted.weights.read_bytes()).hexdigest()
    rest = saved(fitted.extractor, tmp_path / "state.npz")
    assert rest == {
        "version": fitted.extractor.version,
        "backbone": fitted.name,
        "looks": find_backbone(fitted.name).inputs_per_photo,
        "precision": "fp32",
        "weights_sha256": digest,
    }
    assert python(SERVE, fitted.name, tmp_path / "state.npz", tmp_path / "served.npy", "fp32").strip() == "[]"
    np.testing.assert_allclose(np.load(tmp_path / "served.npy"), fitted.vectors[:2], rtol=1e-4, atol=1e-3)


def test_int8_is_quantised_in_another_process_and_served_the_same_after_saving(fitted: Fitted, tmp_path: Path) -> None:
    quantised = at(fitted, "int8")
    vectors = quantised.transform(photos(COUNTS[fitted.name]))
    assert quantised.network_.weights.nbytes < 0.6 * fitted.extractor.network_.weights.nbytes
    assert centred_cosines(vectors, fitted.vectors).min() > lowest_cosines(fitted.name)["int8"]
    assert not np.allclose(vectors, fitted.vectors, rtol=1e-4)
    assert "nncf" not in sys.modules
    assert saved(quantised, tmp_path / "state.npz")["precision"] == "int8"
    assert python(SERVE, fitted.name, tmp_path / "state.npz", tmp_path / "served.npy", "int8").strip() == "[]"
    np.testing.assert_allclose(np.load(tmp_path / "served.npy"), vectors[:2], rtol=1e-3, atol=1e-2)


def test_a_state_of_an_earlier_version_is_fp32_with_one_input_a_photo(fitted: Fitted) -> None:
    state = fitted.extractor.state() | {"version": 1}
    for name in ("precision", "weights_sha256", "looks"):
        del state[name]
    restored = fitted.extractor.from_state(state)
    assert (restored.precision, restored.inputs_per_photo) == ("fp32", 1)
    once = fitted.extractor.from_state(fitted.extractor.state() | {"looks": 1})
    np.testing.assert_array_equal(restored.transform(photos(1)), once.transform(photos(1)))


def test_the_vectors_of_two_inputs_are_averaged_and_barely_change_with_the_mirror_image(fitted: Fitted) -> None:
    once, twice = (fitted.extractor.from_state(fitted.extractor.state() | {"looks": count}) for count in (1, 2))
    (photo,) = photos(1)
    both = [photo[:, :180], np.ascontiguousarray(photo[:, :180][:, ::-1])]
    original, mirrored = twice.transform(both)
    # A square and its mirror image give the same two inputs.
    np.testing.assert_allclose(original, mirrored, rtol=1e-4, atol=1e-4)
    separate = once.transform(both)
    np.testing.assert_allclose(original, separate.mean(axis=0), rtol=1e-4, atol=1e-4)
    assert not np.allclose(separate[0], separate[1], rtol=1e-2)


def test_keras_without_the_weights_file_is_refused(fitted: Fitted) -> None:
    restored = fitted.extractor.from_state(fitted.extractor.state()).set_params(engine="keras")
    with pytest.raises(Unavailable, match="from its weights file, and was given none"):
        restored.transform(photos(1))


def test_an_engine_that_is_not_installed_is_refused_with_the_role_that_has_it(
    fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    restored = fitted.extractor.from_state(fitted.extractor.state())
    with pytest.raises(Unavailable, match=r"openvino is not installed here.*role tensorflow"):
        restored.transform(photos(1))


@pytest.mark.parametrize("settings", [{"precision": "int4"}, {"precision": "int8"}], ids=["unknown", "without photos"])
def test_an_unknown_precision_or_one_without_photos_is_refused(fitted: Fitted, settings: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        clone(fitted.extractor).set_params(**settings).fit([])


def test_the_export_leaves_nothing_in_the_home_folder(fitted: Fitted) -> None:
    assert not (fitted.home / "intel").exists()  # where OpenVINO's telemetry would store an identity


@pytest.mark.parametrize("change", [{"version": 0}, {"backbone": "another"}, {"precision": "int4"}, {"graph": None}])
def test_a_state_of_another_kind_is_refused(fitted: Fitted, change: dict[str, object]) -> None:
    with pytest.raises(BadArtefact, match="train again"):
        fitted.extractor.from_state({**fitted.extractor.state(), **change})


def test_a_state_with_truncated_weights_is_refused(fitted: Fitted) -> None:
    state = fitted.extractor.state()
    state["network_weights"] = state["network_weights"][:100_000]
    with pytest.raises(BadArtefact, match="no network OpenVINO can read"):
        fitted.extractor.from_state(state).transform(photos(1))
