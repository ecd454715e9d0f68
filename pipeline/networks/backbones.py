"""The one table of backbones: the networks behind the pretrained image extractors. Adding one: a row and its builder.

Rows name their builder by an import string, so that reading the table loads no tensorflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.domain.errors import InvalidInput
from pipeline.domain.published_file import SQUEEZENET_WEIGHTS, VGG16_WEIGHTS, PublishedFile

VGG16_WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
VGG16_NAMES = tuple(
    f"block{block}_conv{conv}" for block, convs in enumerate((2, 2, 3, 3, 3), start=1) for conv in range(1, convs + 1)
)
# Of each fire module: its number, the widths of its squeeze layer and of each of its two expand layers.
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

    ``builder`` is ``module:function``; the function takes the row and returns a Keras model with random weights.
    ``means`` are subtracted from the channels in the order of ``channels`` (0-255 scale). ``kernels`` gives, in the
    network's order, each convolution with its kernel's shape (height, width, in, out); biases have ``out`` numbers.
    A ``/`` in a name of the file is a ``_`` in Keras, which allows none (``keras_name``). ``looks`` is at how many
    inputs of a photo it looks, whose outputs are averaged (``network_inputs``): what a small network gains by a second
    one, on every catalogue tried, is worth more than its time.
    """

    name: str
    builder: str
    side: int
    width: int
    channels: Literal["RGB", "BGR"]
    means: tuple[float, float, float]
    kernels: Kernels
    published: PublishedFile
    looks: int = 1


BACKBONES: tuple[Backbone, ...] = (
    # Simonyan & Zisserman 2015, arXiv:1409.1556; weights and preprocessing as Keras Applications publishes them.
    Backbone(
        name="vgg16",
        builder="pipeline.networks.keras_vgg16:build",
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
        builder="pipeline.networks.keras_squeezenet:build",
        side=227,
        width=512,
        channels="BGR",
        means=(104.0, 117.0, 123.0),
        kernels=_squeezenet_kernels(),
        published=SQUEEZENET_WEIGHTS,
        looks=2,
    ),
)


def backbone(name: str) -> Backbone:
    """The row of that name; InvalidInput names those there are."""
    for candidate in BACKBONES:
        if candidate.name == name:
            return candidate
    raise InvalidInput(f"there is no backbone {name!r}; known are: {', '.join(b.name for b in BACKBONES)}")


def keras_name(name: str) -> str:
    """What Keras calls the layer that the weights file calls ``name``."""
    return name.replace("/", "_")


def resize_photo(row: Backbone, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo (RGB, uint8, shape (height, width, 3)) resized to ``side`` by ``side``.

    Proportions are not kept, as in the network's usual recipe. A photo of that size comes back as it is.
    """
    if photo.shape[:2] == (row.side, row.side):
        return photo
    return np.asarray(Image.fromarray(photo).resize((row.side, row.side), Image.Resampling.BILINEAR))


def network_input(row: Backbone, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The photo as the network wants it, in training, quantising and serving alike.

    ``photo``: RGB, uint8, shape (height, width, 3). It is resized, its channels ordered and their means subtracted.
    Returns float32, shape (1, side, side, 3).
    """
    photo = resize_photo(row, photo)
    ordered = photo[:, :, ::-1] if row.channels == "BGR" else photo
    centred: NDArray[np.float32] = ordered.astype(np.float32) - np.asarray(row.means, dtype=np.float32)
    return centred[np.newaxis]


def network_inputs(row: Backbone, photo: NDArray[np.uint8], looks: int) -> list[NDArray[np.float32]]:
    """``looks`` (1 or 2) inputs of one photo, each as ``network_input`` gives it: the photo stretched to the square,
    then its mirror image with its proportions kept, on a square of the colour of its border."""
    found = [network_input(row, photo)]
    if looks > 1:
        found.append(network_input(row, pad_to_square(photo)[:, ::-1]))
    return found


def pad_to_square(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo (RGB, uint8, shape (height, width, 3)) in the middle of a square of its border's median colour."""
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
