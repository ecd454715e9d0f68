"""The table of backbones, the networks of the pretrained image extractors; a new one needs a row and a builder.

Rows name their builder by an import string, so that importing the table does not load tensorflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.domain.errors import InvalidInput
from pipeline.domain.published_file import PublishedFile
from pipeline.domain.published_weights import (
    EFFICIENTNET_LITE0_WEIGHTS,
    EFFICIENTNET_LITE2_WEIGHTS,
    SQUEEZENET_WEIGHTS,
    VGG16_WEIGHTS,
)
from pipeline.networks.architectures import LITE_BLOCKS, SQUEEZENET_LAYERS, VGG16_LAYERS, ConvLayer, lite_layers

HDF5_READER = "pipeline.networks.hdf5_weights:read_layers"
EFFICIENTNET_READER = "pipeline.networks.efficientnet_weights:read_layers"


@dataclass(frozen=True, slots=True)
class Backbone:
    """One network: takes photos of ``side`` by ``side`` pixels, returns ``width`` numbers.

    ``builder`` is ``module:function``; the function takes the backbone and returns a Keras model with random weights.
    ``means`` are subtracted from the channels in the order of ``channels`` (0-255 scale), which are then divided by
    ``scale``. ``layers`` are all convolutions in the network's order. A ``/`` in a layer's name is ``_`` in Keras,
    which does not allow it (``keras_name``). ``weights_reader`` (``module:function``) takes the path of a weights file
    and returns kernel and biases by layer; ``published`` is the file that it is made for. ``last_block`` is the Keras
    name of the first layer that fine-tuning trains. ``inputs_per_photo`` is the number of inputs made from a photo,
    whose outputs are averaged (``network_inputs``): for a small network, a second input was worth its time on every
    catalogue tested.
    """

    name: str
    builder: str
    side: int
    width: int
    channels: Literal["RGB", "BGR"]
    means: tuple[float, float, float]
    layers: tuple[ConvLayer, ...]
    weights_reader: str
    published: PublishedFile
    last_block: str
    scale: float = 1.0
    inputs_per_photo: int = 1


BACKBONES: tuple[Backbone, ...] = (
    # Tan & Le 2019, arXiv:1905.11946, without squeeze-and-excitation and with ReLU6: the variant "Lite" that Google
    # published in 2020, with its preprocessing. Lite0 was trained on 224 pixels, but more separate products better, on
    # every catalogue tested, as objects appear smaller in testing than in training (Touvron et al. 2019,
    # arXiv:1906.06423).
    Backbone(
        name="efficientnet",
        builder="pipeline.networks.keras_efficientnet:build_efficientnet_lite",
        side=320,
        width=1_280,
        channels="RGB",
        means=(127.0, 127.0, 127.0),
        scale=128.0,
        layers=lite_layers(LITE_BLOCKS["efficientnet"]),
        weights_reader=EFFICIENTNET_READER,
        published=EFFICIENTNET_LITE0_WEIGHTS,
        last_block="block16_expand",
        inputs_per_photo=2,
    ),
    Backbone(
        name="efficientnet_lite2",
        builder="pipeline.networks.keras_efficientnet:build_efficientnet_lite",
        side=260,
        width=1_280,
        channels="RGB",
        means=(127.0, 127.0, 127.0),
        scale=128.0,
        layers=lite_layers(LITE_BLOCKS["efficientnet_lite2"]),
        weights_reader=EFFICIENTNET_READER,
        published=EFFICIENTNET_LITE2_WEIGHTS,
        last_block="block21_expand",
    ),
    # Simonyan & Zisserman 2015, arXiv:1409.1556; weights and preprocessing as Keras Applications publishes them.
    Backbone(
        name="vgg16",
        builder="pipeline.networks.keras_backbone:build_vgg16",
        side=224,
        width=512,
        channels="BGR",
        means=(103.939, 116.779, 123.68),
        layers=VGG16_LAYERS,
        weights_reader=HDF5_READER,
        published=VGG16_WEIGHTS,
        last_block="block5_conv1",
    ),
    # Iandola et al. 2016, arXiv:1602.07360, version 1.1; the means are those of the Caffe model its weights come from.
    Backbone(
        name="squeezenet",
        builder="pipeline.networks.keras_backbone:build_squeezenet",
        side=227,
        width=512,
        channels="BGR",
        means=(104.0, 117.0, 123.0),
        layers=SQUEEZENET_LAYERS,
        weights_reader=HDF5_READER,
        published=SQUEEZENET_WEIGHTS,
        last_block="fire9_squeeze1x1",
        inputs_per_photo=2,
    ),
)


def find_backbone(name: str) -> Backbone:
    """The backbone with this name; InvalidInput lists the existing ones."""
    for candidate in BACKBONES:
        if candidate.name == name:
            return candidate
    raise InvalidInput(
        f"there is no backbone {name!r}; choose one of {', '.join(backbone.name for backbone in BACKBONES)}"
    )


def keras_name(name: str) -> str:
    """The Keras name of the layer called ``name`` in the weights file."""
    return name.replace("/", "_")


def resize_photo(backbone: Backbone, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize a photo (RGB, uint8, shape (height, width, 3)) to ``side`` by ``side``.

    Proportions are not kept, as in the networks' published recipes. A photo of that size is returned as it is.
    """
    if photo.shape[:2] == (backbone.side, backbone.side):
        return photo
    return np.asarray(Image.fromarray(photo).resize((backbone.side, backbone.side), Image.Resampling.BILINEAR))


def network_input(backbone: Backbone, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Resize a photo, order its channels, centre and scale them, the same for training, quantising and serving.

    ``photo``: RGB, uint8, shape (height, width, 3). Returns float32, shape (1, side, side, 3).
    """
    photo = resize_photo(backbone, photo)
    ordered = photo[:, :, ::-1] if backbone.channels == "BGR" else photo
    centred: NDArray[np.float32] = ordered.astype(np.float32) - np.asarray(backbone.means, dtype=np.float32)
    return centred[np.newaxis] / np.float32(backbone.scale)


def network_inputs(backbone: Backbone, photo: NDArray[np.uint8], count: int) -> list[NDArray[np.float32]]:
    """``count`` (1 or 2) inputs of one photo, each as ``network_input`` returns it.

    The first is the photo stretched to a square, the second its mirror image with its proportions kept, padded to a
    square with the colour of its border.
    """
    inputs = [network_input(backbone, photo)]
    if count > 1:
        inputs.append(network_input(backbone, pad_to_square(photo)[:, ::-1]))
    return inputs


def pad_to_square(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Centre a photo (RGB, uint8, shape (height, width, 3)) in a square of the median colour of its border."""
    height, width = photo.shape[:2]
    side = max(height, width)
    if height == width:
        return photo
    border = np.concatenate([photo[0], photo[-1], photo[:, 0], photo[:, -1]])
    square = np.empty((side, side, 3), np.uint8)
    square[:] = np.median(border, axis=0).astype(np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = photo
    return square
