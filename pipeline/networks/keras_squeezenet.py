"""SqueezeNet v1.1 in Keras: everything before the classifier, with average pooling.

F. Iandola et al.: SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, arXiv:1602.07360; version 1.1 has
smaller first kernels and pools earlier, at 2.4 times less arithmetic (github.com/forresti/SqueezeNet).
"""

from __future__ import annotations

import keras
from keras import layers

from pipeline.networks.backbones import SQUEEZENET_FIRES, Backbone, keras_name

POOLED_BEFORE = (2, 4, 6)  # fire modules that see a map of half the size


def build(backbone: Backbone) -> keras.Model:
    """The network with random weights: float32 (n, side, side, 3) in, (n, width) out."""
    photo = keras.Input((backbone.side, backbone.side, 3))
    x = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(photo)
    for number, squeeze, expand in SQUEEZENET_FIRES:
        if number in POOLED_BEFORE:
            x = layers.MaxPooling2D(3, strides=2)(x)
        x = _fire(x, f"fire{number}", squeeze, expand)
    return keras.Model(photo, layers.GlobalAveragePooling2D()(x), name=backbone.name)


def _fire(x: keras.KerasTensor, name: str, squeeze: int, expand: int) -> keras.KerasTensor:
    x = layers.Conv2D(squeeze, 1, activation="relu", name=keras_name(f"{name}/squeeze1x1"))(x)
    narrow = layers.Conv2D(expand, 1, activation="relu", name=keras_name(f"{name}/expand1x1"))(x)
    wide = layers.Conv2D(expand, 3, padding="same", activation="relu", name=keras_name(f"{name}/expand3x3"))(x)
    return layers.Concatenate()([narrow, wide])
