"""Fine-tuning in Keras: ``python -m pipeline.networks.keras_fine_tuning FOLDER``; ``fine_tuning.py`` writes the folder.

The output of the frozen part of the network is computed once per photo and kept in a file, so that an epoch costs only
the last block. Progress goes to standard output, one line per step: a share from 0 to 1, and a note.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from pipeline.networks.backbones import Backbone, find_backbone, network_input
from pipeline.networks.engine import GRAPH_FILE, convert_model, openvino_module
from pipeline.networks.fine_tuning import (
    HISTORY_FILE,
    LABELS_FILE,
    PHOTOS_FILE,
    TASK_FILE,
    VALIDATION_FILE,
    FineTuningEpoch,
    FineTuningHistory,
)
from pipeline.networks.keras_backbone import load_backbone

_FROZEN_BATCH_SIZE = 16  # photos per pass through the frozen part
_PREDICTION_BATCH_SIZE = 64  # photos per pass through the last block, without training
_FROZEN_SHARE = 0.3  # of the total time, taken by the frozen part; for progress
_ACTIVATIONS_FILE = "activations.npy"


def main() -> None:
    """Read the folder, train, and write the network and its history into the folder."""
    folder = Path(sys.argv[1])
    task = json.loads((folder / TASK_FILE).read_text())
    keras.utils.set_random_seed(task["seed"])
    tf.config.experimental.enable_op_determinism()
    backbone = find_backbone(task["backbone"])
    network = load_backbone(backbone, Path(task["weights"]))
    block_input = network.get_layer(task["from"]).input
    labels, validation = np.load(folder / LABELS_FILE), np.load(folder / VALIDATION_FILE)
    activations = _compute_activations(keras.Model(network.input, block_input), backbone, folder)
    block = _LastBlock(keras.Model(block_input, network.output), activations, labels, validation, task)
    block.train_head()
    history = block.train()
    (folder / HISTORY_FILE).write_text(json.dumps(history.as_json()))
    exported = convert_model(network)
    exported.reshape([1, backbone.side, backbone.side, 3])
    openvino_module().save_model(exported, folder / GRAPH_FILE, compress_to_fp16=True)


def _report(share: float, note: str) -> None:
    print(f"{share:.3f} {note}", flush=True)


def _compute_activations(frozen: keras.Model, backbone: Backbone, folder: Path) -> NDArray[np.float16]:
    """The input of the last block, float16 of shape (n, height, width, channels), in a memory-mapped file."""
    photos = np.load(folder / PHOTOS_FILE, mmap_mode="r")
    activations = np.lib.format.open_memmap(
        folder / _ACTIVATIONS_FILE, mode="w+", dtype=np.float16, shape=(len(photos), *frozen.output.shape[1:])
    )
    for start in range(0, len(photos), _FROZEN_BATCH_SIZE):
        inputs = np.concatenate(
            [network_input(backbone, photo) for photo in photos[start : start + _FROZEN_BATCH_SIZE]]
        )
        activations[start : start + len(inputs)] = frozen.predict_on_batch(inputs)
        _report(_FROZEN_SHARE * start / len(photos), f"looking at photos ({start} of {len(photos)})")
    return activations


class _LastBlock:
    """The last block with a head on it, and the photos it is trained and validated on."""

    def __init__(
        self,
        block: keras.Model,
        activations: NDArray[np.float16],
        labels: NDArray[np.int64],
        validation: NDArray[np.bool_],
        task: dict[str, Any],
    ) -> None:
        n_categories = int(labels.max()) + 1
        self._block, self._activations, self._labels, self._task = block, activations, labels, task
        self._train_rows, self._validation_rows = np.flatnonzero(~validation), np.flatnonzero(validation)
        counts = np.bincount(labels[self._train_rows], minlength=n_categories)
        # All categories have equal weight; one that occurs only in validation photos cannot be learned.
        self._category_weights = len(self._train_rows) / np.maximum(counts, 1) / max((counts > 0).sum(), 1)
        head = keras.Sequential([layers.UnitNormalization(), layers.Dense(n_categories, use_bias=True)], name="head")
        self._head = keras.Sequential([head, layers.Rescaling(8.0)], name="scaled")
        self._model = keras.Model(block.input, self._head(block.output))
        self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def train_head(self) -> None:
        """Train the head alone, on the output of the published last block."""
        pooled = self._predict(self._block, np.arange(len(self._activations)))
        rows = self._train_rows
        head_model = keras.Sequential([self._head])
        head_model.compile(keras.optimizers.Adam(1e-2), self._loss)
        head_model.fit(
            pooled[rows],
            self._labels[rows],
            batch_size=self._task["batch_size"],
            epochs=self._task["head_epochs"],
            sample_weight=self._category_weights[self._labels[rows]],
            verbose=0,
        )

    def train(self) -> FineTuningHistory:
        """Train block and head until the validation loss stops falling, and restore the weights of the best epoch."""
        epochs = [self._validate(0)]
        best_weights, epochs_without_gain = self._model.get_weights(), 0
        best_loss = epochs[0].loss
        self._model.compile(keras.optimizers.Adam(self._task["learning_rate"]), self._loss)
        rng = np.random.default_rng(self._task["seed"])
        for epoch in range(1, self._task["epochs"] + 1):
            note = f"epoch {epoch} of {self._task['epochs']}, validation accuracy {epochs[-1].accuracy:.3f}"
            _report(_FROZEN_SHARE + (1 - _FROZEN_SHARE) * (epoch - 1) / self._task["epochs"], note)
            self._train_epoch(rng.permutation(self._train_rows))
            epochs.append(self._validate(epoch))
            if epochs[-1].loss < best_loss:
                best_loss, best_weights, epochs_without_gain = epochs[-1].loss, self._model.get_weights(), 0
            else:
                epochs_without_gain += 1
                if epochs_without_gain >= self._task["patience"]:
                    break
        self._model.set_weights(best_weights)
        return FineTuningHistory(tuple(epochs), min(epochs, key=lambda epoch: epoch.loss).epoch)

    def _train_epoch(self, rows: NDArray[np.int64]) -> None:
        for start in range(0, len(rows), self._task["batch_size"]):
            batch = np.sort(rows[start : start + self._task["batch_size"]])
            self._model.train_on_batch(
                np.asarray(self._activations[batch], np.float32),
                self._labels[batch],
                sample_weight=self._category_weights[self._labels[batch]],
            )

    def _validate(self, epoch: int) -> FineTuningEpoch:
        rows = self._validation_rows
        logits = self._predict(self._model, rows)
        accuracy = float((logits.argmax(axis=1) == self._labels[rows]).mean())
        return FineTuningEpoch(epoch, float(self._loss(self._labels[rows], logits)), accuracy)

    def _predict(self, model: keras.Model, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The output of a model for photos, a few at a time."""
        return np.concatenate(
            [
                model.predict_on_batch(
                    np.asarray(self._activations[rows[start : start + _PREDICTION_BATCH_SIZE]], np.float32)
                )
                for start in range(0, len(rows), _PREDICTION_BATCH_SIZE)
            ]
        )


if __name__ == "__main__":
    main()
