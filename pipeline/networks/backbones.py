"""The table of backbones, the networks behind the pretrained image extractors; a new one is a row and its builder.

Rows name their builder by an import string, so that reading the table loads no tensorflow.
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
# Number, width of the squeeze layer, width of each of the two expand layers, of each fire module.
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
    before = 64
    for number, squeeze, expand in SQUEEZENET_FIRES:
        kernels.append((f"fire{number}/squeeze1x1", (1, 1, before, squeeze)))
        kernels.append((f"fire{number}/expand1x1", (1, 1, squeeze, expand)))
        kernels.append((f"fire{number}/expand3x3", (3, 3, squeeze, expand)))
        before = 2 * expand
    return tuple(kernels)


@dataclass(frozen=True, slots=True)
class Backbone:
    """One network: photos of ``side`` by ``side`` pixels in, ``width`` numbers out.

    ``builder`` is ``module:function``; the function takes the backbone and returns a Keras model with random weights.
    ``means`` are subtracted from the channels in the order of ``channels`` (0-255 scale). ``kernels`` gives, in the
    network's order, each convolution with its kernel's shape (height, width, in, out); biases have ``out`` numbers.
    A ``/`` in a name of the file is a ``_`` in Keras, which allows none (``keras_name``). ``inputs_per_photo`` is the
    number of inputs made of a photo, whose outputs are averaged (``network_inputs``): a small network gains more by a
    second one, on every catalogue tried, than its time is worth.
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
            (name, (3, 3, before, after))
            for name, before, after in zip(VGG16_NAMES, (3, *VGG16_WIDTHS), VGG16_WIDTHS, strict=False)
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
    """The backbone of that name; InvalidInput lists the known ones."""
    for candidate in BACKBONES:
        if candidate.name == name:
            return candidate
    raise InvalidInput(f"there is no backbone {name!r}; known are: {', '.join(b.name for b in BACKBONES)}")


def keras_name(name: str) -> str:
    """The name in Keras of the layer that is called ``name`` in the weights file."""
    return name.replace("/", "_")


def resize_photo(backbone: Backbone, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize a photo (RGB, uint8, shape (height, width, 3)) to ``side`` by ``side``.

    Proportions are not kept, as in the networks' published recipes. A photo of that size is returned as it is.
    """
    if photo.shape[:2] == (backbone.side, backbone.side):
        return photo
    return np.asarray(Image.fromarray(photo).resize((backbone.side, backbone.side), Image.Resampling.BILINEAR))


def network_input(backbone: Backbone, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Resize a photo, order its channels and subtract their means, for training, quantising and serving alike.

    ``photo``: RGB, uint8, shape (height, width, 3). Returns float32, shape (1, side, side, 3).
    """
    photo = resize_photo(backbone, photo)
    ordered = photo[:, :, ::-1] if backbone.channels == "BGR" else photo
    centred: NDArray[np.float32] = ordered.astype(np.float32) - np.asarray(backbone.means, dtype=np.float32)
    return centred[np.newaxis]


def network_inputs(backbone: Backbone, photo: NDArray[np.uint8], count: int) -> list[NDArray[np.float32]]:
    """``count`` (1 or 2) inputs of one photo, each as ``network_input`` returns it.

    The photo stretched to the square, then its mirror image with its proportions kept, on a square of the colour of its
    border.
    """
    inputs = [network_input(backbone, photo)]
    if count > 1:
        inputs.append(network_input(backbone, pad_to_square(photo)[:, ::-1]))
    return inputs


def pad_to_square(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put a photo (RGB, uint8, shape (height, width, 3)) in the middle of a square of its border's median colour."""
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
