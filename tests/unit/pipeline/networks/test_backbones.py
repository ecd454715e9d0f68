"""The table of backbones and the input they get."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from pipeline.domain.errors import InvalidInput
from pipeline.networks.architectures import LITE_BLOCKS
from pipeline.networks.backbones import (
    BACKBONES,
    EFFICIENTNET_READER,
    Backbone,
    find_backbone,
    keras_name,
    network_input,
    network_inputs,
    pad_to_square,
)

each_backbone = pytest.mark.parametrize("backbone", BACKBONES, ids=lambda backbone: backbone.name)


@each_backbone
def test_a_backbone_is_consistent(backbone: Backbone) -> None:
    assert backbone.width % backbone.layers[-1].biases == 0  # several layers side by side may make the last map
    assert backbone.layers[0].kernel[2] == 3
    names = [keras_name(layer.name) for layer in backbone.layers]
    assert len(set(names)) == len(names)
    assert backbone.last_block in names
    for target in (backbone.builder, backbone.weights_reader):
        assert find_spec(target.partition(":")[0]) is not None


@each_backbone
def test_the_published_size_holds_the_weights(backbone: Backbone) -> None:
    numbers = sum(int(np.prod(layer.kernel)) + layer.biases for layer in backbone.layers)
    if backbone.weights_reader == EFFICIENTNET_READER:
        # Three more per channel of each batch normalisation, and ImageNet's classifier.
        numbers += 3 * sum(layer.biases for layer in backbone.layers) + 1_000 * (backbone.width + 1)
    assert backbone.published.size is not None
    assert 0 <= backbone.published.size - 4 * numbers < 150_000  # the rest is the file format's own


@each_backbone
def test_input_is_resized_ordered_and_centred(backbone: Backbone) -> None:
    photo = np.zeros((50, 80, 3), dtype=np.uint8)
    photo[:] = (200, 100, 50)
    prepared = network_input(backbone, photo)
    assert prepared.shape == (1, backbone.side, backbone.side, 3)
    assert prepared.dtype == np.float32
    colour = (50, 100, 200) if backbone.channels == "BGR" else (200, 100, 50)
    np.testing.assert_allclose(prepared[0, 3, 4], np.subtract(colour, backbone.means) / backbone.scale, rtol=1e-5)


@each_backbone
def test_the_second_input_is_the_mirror_image_with_its_proportions_kept(backbone: Backbone) -> None:
    photo = np.full((40, 80, 3), 250, np.uint8)
    photo[10:30, 60:70] = (200, 100, 50)  # something on the right
    square = pad_to_square(photo)
    assert square.shape == (80, 80, 3)
    assert (square[:20] == 250).all(), "the padding has the colour of the border"
    assert (square[20:60] == photo).all()
    first, second = network_inputs(backbone, photo, 2)
    np.testing.assert_array_equal(first, network_input(backbone, photo))
    np.testing.assert_array_equal(second, network_input(backbone, square[:, ::-1]))
    assert len(network_inputs(backbone, photo, 1)) == 1


def test_efficientnet_lite_is_scaled_as_published() -> None:
    """Google's lite0 and lite2: 16 and 21 blocks, their last three widths, and 3.4 and 4.8 million parameters."""
    expected = {
        "efficientnet": (16, [192, 192, 320], 3_350_000),
        "efficientnet_lite2": (21, [208, 208, 352], 4_782_024),
    }
    for name, (count, widths, parameters) in expected.items():
        blocks = LITE_BLOCKS[name]
        assert (len(blocks), [block.outputs for block in blocks[-3:]]) == (count, widths)
        layers = find_backbone(name).layers
        assert sum(int(np.prod(layer.kernel)) + layer.biases for layer in layers) == parameters


def test_vgg16_input_equals_that_of_keras_applications() -> None:
    backbone = find_backbone("vgg16")
    photo = np.random.default_rng(0).integers(0, 256, (backbone.side, backbone.side, 3), dtype=np.uint8)
    keras_vgg16 = import_module("keras.applications.vgg16")
    expected = keras_vgg16.preprocess_input(photo[np.newaxis].astype(np.float32))
    np.testing.assert_allclose(network_input(backbone, photo), expected, atol=1e-4)


def test_an_unknown_backbone_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="vgg16"):
        find_backbone("vgg61")
