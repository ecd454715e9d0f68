"""EfficientNet-Lite0 with the weights that come with the installation, against vectors of the reference implementation.

``reference/efficientnet_lite0.npz`` has the first 64 numbers and the ImageNet class of three drawn photos, computed by
``efficientnet-lite-pytorch``; ``tests/reference/efficientnet_lite.py`` says how.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.domain.bundled_weights import bundled_weights
from pipeline.features.efficientnet import EfficientNetLite0
from pipeline.networks.weights_file import is_published, read_weights
from tests.unit.pipeline.features.test_pretrained_network import python
from tests.unit.pipeline.networks.samples import photos

pytestmark = pytest.mark.xdist_group("published efficientnet")
KERAS = """
import sys
sys.modules.update(dict.fromkeys(("matplotlib", "pandas", "sklearn")))  # Keras starts sooner without them
from pathlib import Path
import numpy as np
from pipeline.features.efficientnet import EfficientNetLite0
from pipeline.networks.backbones import network_input
from pipeline.networks.keras_backbone import KerasEngine
from tests.unit.pipeline.networks.samples import photos
weights, target, count = sys.argv[1:]
backbone = EfficientNetLite0.backbone
inputs = (network_input(backbone, photo) for photo in photos(int(count)))
np.save(target, KerasEngine(backbone, Path(weights)).transform(inputs))
"""
REFERENCE = Path(__file__).with_name("reference") / "efficientnet_lite0.npz"


@pytest.fixture(scope="module")
def fitted() -> EfficientNetLite0:
    return EfficientNetLite0(inputs_per_photo=1).fit([])


def weights_path() -> Path:
    bundled = bundled_weights("efficientnet")
    assert bundled is not None
    return bundled.path


def test_the_installed_file_is_the_pinned_one(tmp_path: Path) -> None:
    bundled = bundled_weights("efficientnet")
    assert bundled is not None
    assert bundled.sha256 == EfficientNetLite0.backbone.published.sha256
    assert is_published(EfficientNetLite0.backbone, bundled.path)
    assert len(read_weights(EfficientNetLite0.backbone, bundled.path)) == 49
    assert EfficientNetLite0.check_weights(str(bundled.path), tmp_path).published is True


def test_without_other_weights_those_of_the_installation_are_used(fitted: EfficientNetLite0) -> None:
    assert fitted.weights_sha256_ == EfficientNetLite0.backbone.published.sha256


def test_vectors_equal_those_of_the_reference_implementation(fitted: EfficientNetLite0, tmp_path: Path) -> None:
    with np.load(REFERENCE, allow_pickle=False) as stored:
        expected, norms = stored["vectors"], stored["norms"]
    python(KERAS, str(weights_path()), tmp_path / "keras.npy", str(len(expected)))
    np.testing.assert_allclose(np.load(tmp_path / "keras.npy")[:, : expected.shape[1]], expected, atol=1e-3)
    vectors = fitted.transform(photos(len(expected)))
    assert vectors.shape == (len(expected), 1280)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), norms, rtol=1e-2)
    # The export stores its weights in half precision.
    ours = vectors[:, : expected.shape[1]]
    cosines = (ours * expected).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.999
