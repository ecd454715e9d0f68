"""A backbone in Keras, whatever its row: weights from a local file, and features for workers of role tensorflow."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.backbones import Backbone, keras_name, network_input
from pipeline.networks.weights import read_weights

BATCH = 16  # photos in one predict: bounds the memory of the first, widest layers to some 400 MB


def load_backbone(row: Backbone, path: Path) -> keras.Model:
    """The network of ``row`` with the weights of the file; BadArtefact when the file is damaged or of another kind."""
    weights = read_weights(row, path)
    module, _, function = row.builder.partition(":")
    network: keras.Model = getattr(import_module(module), function)(row)
    for name, arrays in weights.items():
        network.get_layer(keras_name(name)).set_weights(arrays)
    return network


def features_keras(network: keras.Model, row: Backbone, photos: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Photos (RGB, uint8, shape (height, width, 3)) to float32 of shape (n, width), computed by Keras."""
    parts = [np.empty((0, row.width), dtype=np.float32)]
    for start in range(0, len(photos), BATCH):
        inputs = np.concatenate([network_input(row, photo) for photo in photos[start : start + BATCH]])
        parts.append(network.predict_on_batch(inputs))
    return np.concatenate(parts)
