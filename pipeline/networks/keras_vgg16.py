"""VGG16 in Keras: the convolutional part with average pooling, as Keras Applications defines it.

K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, arXiv:1409.1556.
"""

from __future__ import annotations

import keras

from pipeline.networks.backbones import Backbone


def build(backbone: Backbone) -> keras.Model:
    """The network with random weights: float32 (n, side, side, 3) in, (n, width) out. It downloads nothing."""
    return keras.applications.VGG16(
        include_top=False,
        weights=None,
        pooling="avg",
        input_shape=(backbone.side, backbone.side, 3),
        name=backbone.name,
    )
