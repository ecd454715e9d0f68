"""Fine-tuning in Keras: ``python -m pipeline.networks.keras_finetune FOLDER``; ``finetune.py`` writes what is in it.

What the frozen part of the network says of the photos is computed once and kept in a file, so that an epoch costs the
last block only. Progress goes to standard output, a line a step: a share from 0 to 1, and what is being done.
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

from pipeline.networks.backbones import backbone, network_input
from pipeline.networks.engine import GRAPH_FILE, convert_model, openvino_module
from pipeline.networks.finetune import HISTORY, LABELS, PHOTOS, TASK, VALIDATION
from pipeline.networks.keras_backbone import load_backbone

_FROZEN = 16  # photos in one pass through the frozen part
_LOOKING = 0.3  # the share of the time that the frozen part takes, for the bar
_KEPT = "activations.npy"


def main() -> None:
    """Read the folder, learn, and write the network and its history into the folder."""
    folder = Path(sys.argv[1])
    task = json.loads((folder / TASK).read_text())
    keras.utils.set_random_seed(task["seed"])
    tf.config.experimental.enable_op_determinism()
    row = backbone(task["backbone"])
    network = load_backbone(row, Path(task["weights"]))
    first = network.get_layer(task["from"]).input
    labels, validation = np.load(folder / LABELS), np.load(folder / VALIDATION)
    inside = _activations(keras.Model(network.input, first), row.name, folder)
    history = _learn(keras.Model(first, network.output), inside, labels, validation, task)
    (folder / HISTORY).write_text(json.dumps(history))
    exported = convert_model(network)
    exported.reshape([1, row.side, row.side, 3])
    openvino_module().save_model(exported, folder / GRAPH_FILE, compress_to_fp16=True)


def _say(share: float, note: str) -> None:
    print(f"{share:.3f} {note}", flush=True)


def _activations(frozen: keras.Model, name: str, folder: Path) -> NDArray[np.float16]:
    """What goes into the last block, float16 of shape (n, height, width, channels), in a file that is mapped."""
    row, photos = backbone(name), np.load(folder / PHOTOS, mmap_mode="r")
    kept = np.lib.format.open_memmap(
        folder / _KEPT, mode="w+", dtype=np.float16, shape=(len(photos), *frozen.output.shape[1:])
    )
    for start in range(0, len(photos), _FROZEN):
        inputs = np.concatenate([network_input(row, photo) for photo in photos[start : start + _FROZEN]])
        kept[start : start + len(inputs)] = frozen.predict_on_batch(inputs)
        _say(_LOOKING * start / len(photos), f"looking at photos ({start} of {len(photos)})")
    return kept


def _learn(
    block: keras.Model,
    inside: NDArray[np.float16],
    labels: NDArray[np.int64],
    validation: NDArray[np.bool_],
    task: dict[str, Any],
) -> dict[str, Any]:
    kinds = int(labels.max()) + 1
    known = np.flatnonzero(~validation)
    counts = np.bincount(labels[known], minlength=kinds)
    # A rare category weighs as much as a common one; one that is only among the validation photos cannot be learned.
    weights = len(known) / np.maximum(counts, 1) / max((counts > 0).sum(), 1)
    head = keras.Sequential([layers.UnitNormalization(), layers.Dense(kinds, use_bias=True)], name="head")
    scaled = keras.Sequential([head, layers.Rescaling(8.0)], name="scaled")
    model = keras.Model(block.input, scaled(block.output))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    pooled = np.concatenate(
        [block.predict_on_batch(np.asarray(inside[at : at + 64], np.float32)) for at in range(0, len(inside), 64)]
    )
    alone = keras.Sequential([scaled])
    alone.compile(keras.optimizers.Adam(1e-2), loss)
    alone.fit(
        pooled[known],
        labels[known],
        batch_size=task["batch"],
        epochs=task["head_epochs"],
        sample_weight=weights[labels[known]],
        verbose=0,
    )
    judged = np.flatnonzero(validation)
    rows = [{"epoch": 0, **_judged(model, inside, labels, judged, loss)}]
    best, kept, waited = rows[0]["loss"], model.get_weights(), 0
    model.compile(keras.optimizers.Adam(task["rate"]), loss)
    order = np.random.default_rng(task["seed"])
    for epoch in range(1, task["epochs"] + 1):
        told = f"epoch {epoch} of {task['epochs']}, validation accuracy {rows[-1]['accuracy']:.3f}"
        _say(_LOOKING + (1 - _LOOKING) * (epoch - 1) / task["epochs"], told)
        mixed = order.permutation(known)
        for start in range(0, len(mixed), task["batch"]):
            batch = np.sort(mixed[start : start + task["batch"]])
            model.train_on_batch(
                np.asarray(inside[batch], np.float32), labels[batch], sample_weight=weights[labels[batch]]
            )
        rows.append({"epoch": epoch, **_judged(model, inside, labels, judged, loss)})
        if rows[-1]["loss"] < best:
            best, kept, waited = rows[-1]["loss"], model.get_weights(), 0
        else:
            waited += 1
            if waited >= task["patience"]:
                break
    model.set_weights(kept)
    return {"epochs": rows, "kept": min(rows, key=lambda each: each["loss"])["epoch"]}


def _judged(
    model: keras.Model,
    inside: NDArray[np.float16],
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    loss: keras.losses.Loss,
) -> dict[str, float]:
    """Loss and accuracy on the photos that are not learned from."""
    logits = np.concatenate(
        [model.predict_on_batch(np.asarray(inside[rows[at : at + 64]], np.float32)) for at in range(0, len(rows), 64)]
    )
    accuracy = float((logits.argmax(axis=1) == labels[rows]).mean())
    return {"loss": float(loss(labels[rows], logits)), "accuracy": accuracy}


if __name__ == "__main__":
    main()
