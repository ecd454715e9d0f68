"""EfficientNet-Lite in Keras, without the classifier."""

from __future__ import annotations

import keras
from keras import layers

from pipeline.networks.architectures import LITE_BLOCKS, LITE_HEAD_WIDTH, LITE_STEM_WIDTH, InvertedBottleneck
from pipeline.networks.backbones import Backbone, keras_name


def build_efficientnet_lite(backbone: Backbone) -> keras.Model:
    """EfficientNet-Lite with random weights: float32 (n, side, side, 3) in, (n, width) out.

    M. Tan, Q. Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, arXiv:1905.11946, in the
    variant that Google published as EfficientNet-Lite (github.com/tensorflow/tpu, models/official/efficientnet/lite):
    ReLU6, no squeeze-and-excitation. Batch normalisations are part of the convolutions (``efficientnet_weights``).
    """
    photo = keras.Input((backbone.side, backbone.side, 3))
    features = layers.Conv2D(LITE_STEM_WIDTH, 3, 2, padding="same", activation="relu6", name="stem")(photo)
    for block in LITE_BLOCKS[backbone.name]:
        features = _inverted_bottleneck(features, block)
    features = layers.Conv2D(LITE_HEAD_WIDTH, 1, activation="relu6", name="head")(features)
    return keras.Model(photo, layers.GlobalAveragePooling2D()(features), name=backbone.name)


def _inverted_bottleneck(block_input: keras.KerasTensor, block: InvertedBottleneck) -> keras.KerasTensor:
    def name(part: str) -> str:
        return keras_name(f"{block.name}/{part}")

    features = block_input
    if block.expands:
        features = layers.Conv2D(block.expanded, 1, activation="relu6", name=name("expand"))(features)
    features = layers.DepthwiseConv2D(
        block.kernel, block.stride, padding="same", activation="relu6", name=name("depthwise")
    )(features)
    features = layers.Conv2D(block.outputs, 1, name=name("project"))(features)
    return layers.Add()([block_input, features]) if block.is_residual else features
