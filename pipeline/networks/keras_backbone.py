"""Backbones in Keras: their layers, weights from a local file, and the engine of workers with the role tensorflow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from pipeline.networks.architectures import SQUEEZENET_FIRES
from pipeline.networks.backbones import Backbone, keras_name
from pipeline.networks.precision import Precision
from pipeline.networks.weights_file import read_weights

FIRES_AFTER_POOLING = (2, 4, 6)  # fire modules of SqueezeNet that follow a pooling layer
BATCH_SIZE = 16  # photos per prediction: limits the memory of the first, widest layers to about 400 MB


def build_vgg16(backbone: Backbone) -> keras.Model:
    """VGG16 with random weights: float32 (n, side, side, 3) in, (n, width) out. Nothing is downloaded.

    The convolutional part with average pooling, as Keras Applications defines it. K. Simonyan, A. Zisserman: Very Deep
    Convolutional Networks for Large-Scale Image Recognition, arXiv:1409.1556.
    """
    return keras.applications.VGG16(
        include_top=False,
        weights=None,
        pooling="avg",
        input_shape=(backbone.side, backbone.side, 3),
        name=backbone.name,
    )


def build_squeezenet(backbone: Backbone) -> keras.Model:
    """SqueezeNet v1.1 with random weights: float32 (n, side, side, 3) in, (n, width) out.

    Everything before the classifier, with average pooling. F. Iandola et al.: SqueezeNet: AlexNet-level accuracy with
    50x fewer parameters, arXiv:1602.07360; version 1.1 has smaller first kernels and pools earlier, with 2.4 times less
    arithmetic (github.com/forresti/SqueezeNet).
    """
    photo = keras.Input((backbone.side, backbone.side, 3))
    features = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(photo)
    for number, squeeze, expand in SQUEEZENET_FIRES:
        if number in FIRES_AFTER_POOLING:
            features = layers.MaxPooling2D(3, strides=2)(features)
        features = _fire(features, f"fire{number}", squeeze, expand)
    return keras.Model(photo, layers.GlobalAveragePooling2D()(features), name=backbone.name)


def _fire(features: keras.KerasTensor, name: str, squeeze: int, expand: int) -> keras.KerasTensor:
    features = layers.Conv2D(squeeze, 1, activation="relu", name=keras_name(f"{name}/squeeze1x1"))(features)
    narrow = layers.Conv2D(expand, 1, activation="relu", name=keras_name(f"{name}/expand1x1"))(features)
    wide = layers.Conv2D(expand, 3, padding="same", activation="relu", name=keras_name(f"{name}/expand3x3"))(features)
    return layers.Concatenate()([narrow, wide])


def load_backbone(backbone: Backbone, path: Path) -> keras.Model:
    """Build the network with the weights of the file; BadArtefact when the file is damaged or of another kind."""
    weights = read_weights(backbone, path)
    module, _, function = backbone.builder.partition(":")
    network: keras.Model = getattr(import_module(module), function)(backbone)
    for name, arrays in weights.items():
        network.get_layer(keras_name(name)).set_weights(arrays)
    return network


class KerasEngine:
    """A backbone computed by Keras, on the GPU where tensorflow sees one: an ``Engine``.

    ``weights`` is the file that the model version's network was exported from. bf16 is computed in bf16, everything
    else in fp32: Keras has no counterpart of int8. BadArtefact when the file is damaged.
    """

    def __init__(self, backbone: Backbone, weights: Path, precision: Precision = Precision.FP32) -> None:
        with _dtype_policy("mixed_bfloat16" if precision is Precision.BF16 else "float32"):
            self._network = load_backbone(backbone, weights)
        self._width = backbone.width

    @property
    def width(self) -> int:
        """The width of a photo's vector."""
        return self._width

    def transform(self, inputs: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Network inputs, each float32 of shape (1, side, side, 3), to float32 of shape (n, width)."""
        remaining = iter(inputs)
        parts = [np.empty((0, self._width), dtype=np.float32)]
        while batch := list(islice(remaining, BATCH_SIZE)):
            parts.append(np.asarray(self._network.predict_on_batch(np.concatenate(batch)), dtype=np.float32))
        return np.concatenate(parts)


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)
