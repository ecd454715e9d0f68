"""The table of backbones and the input they get."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from pipeline.domain.errors import InvalidInput
from pipeline.networks.backbones import BACKBONES, Backbone, find_backbone, network_input, network_inputs, pad_to_square

each_backbone = pytest.mark.parametrize("backbone", BACKBONES, ids=lambda backbone: backbone.name)


@each_backbone
def test_a_backbone_is_consistent(backbone: Backbone) -> None:
    outs = [shape[-1] for _, shape in backbone.kernels]
    assert backbone.width % outs[-1] == 0  # several layers side by side may make the last map
    assert backbone.kernels[0][1][2] == 3
    assert len({name for name, _ in backbone.kernels}) == len(backbone.kernels)
    assert find_spec(backbone.builder.partition(":")[0]) is not None


@each_backbone
def test_the_published_size_holds_the_weights(backbone: Backbone) -> None:
    numbers = sum(int(np.prod(shape)) + shape[-1] for _, shape in backbone.kernels)
    assert backbone.published.size is not None
    assert 0 <= backbone.published.size - 4 * numbers < 150_000  # the rest is HDF5's own


@each_backbone
def test_input_is_resized_ordered_and_centred(backbone: Backbone) -> None:
    photo = np.zeros((50, 80, 3), dtype=np.uint8)
    photo[:] = (200, 100, 50)
    prepared = network_input(backbone, photo)
    assert prepared.shape == (1, backbone.side, backbone.side, 3)
    assert prepared.dtype == np.float32
    colour = (50, 100, 200) if backbone.channels == "BGR" else (200, 100, 50)
    np.testing.assert_allclose(prepared[0, 3, 4], np.subtract(colour, backbone.means), rtol=1e-5)


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


def test_vgg16_input_equals_that_of_keras_applications() -> None:
    backbone = find_backbone("vgg16")
    photo = np.random.default_rng(0).integers(0, 256, (backbone.side, backbone.side, 3), dtype=np.uint8)
    keras_vgg16 = import_module("keras.applications.vgg16")
    expected = keras_vgg16.preprocess_input(photo[np.newaxis].astype(np.float32))
    np.testing.assert_allclose(network_input(backbone, photo), expected, atol=1e-4)


def test_an_unknown_backbone_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="vgg16"):
        find_backbone("vgg61")
