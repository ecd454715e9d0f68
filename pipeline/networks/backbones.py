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
from pipeline.domain.published_weights import SQUEEZENET_WEIGHTS, VGG16_WEIGHTS

VGG16_WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
VGG16_NAMES = tuple(
    f"block{block}_conv{conv}" for block, convs in enumerate((2, 2, 3, 3, 3), start=1) for conv in range(1, convs + 1)
)
# By fire module: number, width of the squeeze layer, width of each of the two expand layers.
SQUEEZENET_FIRES = (
    (2, 16, 64),
    (3, 16, 64),
    (4, 32, 128),
    (5, 32, 128),
    (6, 48, 192),
    (7, 48, 192),
    (8, 64, 256),
    (9, 64, 256),
)


Kernels = tuple[tuple[str, tuple[int, int, int, int]], ...]


def _squeezenet_kernels() -> Kernels:
    kernels = [("conv1", (3, 3, 3, 64))]
    input_width = 64
    for number, squeeze, expand in SQUEEZENET_FIRES:
        kernels.append((f"fire{number}/squeeze1x1", (1, 1, input_width, squeeze)))
        kernels.append((f"fire{number}/expand1x1", (1, 1, squeeze, expand)))
        kernels.append((f"fire{number}/expand3x3", (3, 3, squeeze, expand)))
        input_width = 2 * expand
    return tuple(kernels)


@dataclass(frozen=True, slots=True)
class Backbone:
    """One network: takes photos of ``side`` by ``side`` pixels, returns ``width`` numbers.

    ``builder`` is ``module:function``; the function takes the backbone and returns a Keras model with random weights.
    ``means`` are subtracted from the channels in the order of ``channels`` (0-255 scale). ``kernels`` gives, in the
    network's order, each convolution with its kernel's shape (height, width, in, out); biases have ``out`` numbers.
    A ``/`` in a layer's name is ``_`` in Keras, which does not allow it (``keras_name``). ``inputs_per_photo`` is the
    number of inputs made from a photo, whose outputs are averaged (``network_inputs``): for a small network, a second
    input was worth its time on every catalogue tested.
    """

    name: str
    builder: str
    side: int
    width: int
    channels: Literal["RGB", "BGR"]
    means: tuple[float, float, float]
    kernels: Kernels
    published: PublishedFile
    inputs_per_photo: int = 1


BACKBONES: tuple[Backbone, ...] = (
    # Simonyan & Zisserman 2015, arXiv:1409.1556; weights and preprocessing as Keras Applications publishes them.
    Backbone(
        name="vgg16",
        builder="pipeline.networks.keras_backbone:build_vgg16",
        side=224,
        width=512,
        channels="BGR",
        means=(103.939, 116.779, 123.68),
        kernels=tuple(
            (name, (3, 3, input_width, output_width))
            for name, input_width, output_width in zip(VGG16_NAMES, (3, *VGG16_WIDTHS), VGG16_WIDTHS, strict=False)
        ),
        published=VGG16_WEIGHTS,
    ),
    # Iandola et al. 2016, arXiv:1602.07360, version 1.1; the means are those of the Caffe model its weights come from.
    Backbone(
        name="squeezenet",
        builder="pipeline.networks.keras_backbone:build_squeezenet",
        side=227,
        width=512,
        channels="BGR",
        means=(104.0, 117.0, 123.0),
        kernels=_squeezenet_kernels(),
        published=SQUEEZENET_WEIGHTS,
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
    """Resize a photo, order its channels and subtract their means, the same for training, quantising and serving.

    ``photo``: RGB, uint8, shape (height, width, 3). Returns float32, shape (1, side, side, 3).
    """
    photo = resize_photo(backbone, photo)
    ordered = photo[:, :, ::-1] if backbone.channels == "BGR" else photo
    centred: NDArray[np.float32] = ordered.astype(np.float32) - np.asarray(backbone.means, dtype=np.float32)
    return centred[np.newaxis]


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
