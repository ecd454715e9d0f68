"""Fine-tune the last block of a backbone on labelled photos, in a separate process: the caller loads no tensorflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.json_record import JsonObject
from pipeline.domain.progress import Progress
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.networks.backbones import Backbone
from pipeline.networks.engine import ExportedNetwork
from pipeline.networks.weights_file import read_weights

PHOTOS_FILE = "photos.npy"
LABELS_FILE = "labels.npy"
VALIDATION_FILE = "validation.npy"
TASK_FILE = "task.json"
HISTORY_FILE = "history.json"
KERAS_PROGRAM = "pipeline.networks.keras_fine_tuning"
_MAX_ERROR_LINES = 20  # of the program's standard error, searched for the reason of a failure


@dataclass(frozen=True, slots=True)
class FineTuningSchedule:
    """Epochs, learning rate and batch size; the head is trained alone first, then together with the last block.

    ``patience``: number of epochs without a lower validation loss, after which the best epoch's weights are restored.
    """

    head_epochs: int = 10
    epochs: int = 20
    patience: int = 6
    learning_rate: float = 2e-5
    batch_size: int = 32
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LabelledPhotos:
    """``pixels`` (n, side, side, 3) as ``backbones.resize_photo`` makes them, and ``labels`` (n,) from 0.

    ``validation`` (n,) marks the photos that are used for early stopping only.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    validation: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FineTuningEpoch:
    """Loss and accuracy on the validation photos after an epoch; epoch 0 precedes the training of the last block."""

    epoch: int
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class FineTuningHistory:
    """All epochs, and the number of the ``best_epoch``, whose weights were kept."""

    epochs: tuple[FineTuningEpoch, ...]
    best_epoch: int

    def as_json(self) -> JsonObject:
        """As manifests store it."""
        return {"epochs": [asdict(epoch) for epoch in self.epochs], "kept": self.best_epoch}

    @classmethod
    def from_json(cls, history: Mapping[str, Any]) -> Self:
        """The inverse of ``as_json``."""
        return cls(tuple(FineTuningEpoch(**epoch) for epoch in history["epochs"]), int(history["kept"]))


@dataclass(frozen=True, slots=True)
class FineTunedNetwork:
    """The exported fine-tuned network, and the history of its epochs."""

    network: ExportedNetwork
    history: FineTuningHistory


def fine_tune(
    backbone: Backbone,
    weights: Path,
    photos: LabelledPhotos,
    progress: Progress,
    schedule: FineTuningSchedule = FineTuningSchedule(),
) -> FineTunedNetwork:
    """Train the last block of a backbone to classify the photos; rare and common labels have equal weight.

    The same photos and schedule give the same network on the same machine. Raises InvalidInput without photos to train
    on or to validate on, BadArtefact for a bad weights file, Unavailable when tensorflow is missing or fails.
    """
    if not photos.validation.any() or photos.validation.all():
        raise InvalidInput("fine-tuning needs photos to learn from and others for early stopping")
    read_weights(backbone, weights)
    with TemporaryDirectory(prefix="rayon-finetune-") as folder_name:
        folder = Path(folder_name)
        arrays: dict[str, NDArray[Any]] = {
            PHOTOS_FILE: photos.pixels,
            LABELS_FILE: photos.labels,
            VALIDATION_FILE: photos.validation,
        }
        for file, values in arrays.items():
            np.save(folder / file, values, allow_pickle=False)
        task = {"backbone": backbone.name, "weights": str(weights.resolve()), "from": backbone.last_block}
        (folder / TASK_FILE).write_text(json.dumps(task | asdict(schedule)))
        _run(backbone.name, folder, progress)
        history = FineTuningHistory.from_json(json.loads((folder / HISTORY_FILE).read_text()))
        return FineTunedNetwork(ExportedNetwork.from_folder(folder), history)


def _run(name: str, folder: Path, progress: Progress) -> None:
    command = [sys.executable, "-m", "pipeline.networks.keras_launcher", KERAS_PROGRAM, str(folder)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    errors: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        stderr = program.stderr
        # Both pipes are read concurrently: a full pipe would block the program.
        stderr_reader = threading.Thread(target=lambda: errors.extend(line.strip() for line in stderr), daemon=True)
        stderr_reader.start()
        try:
            for line in program.stdout:
                share, _, note = line.strip().partition(" ")
                progress(float(share), f"{name}: {note}")
        except BaseException:
            program.kill()  # the job was claimed by another worker, or stopped
            raise
        stderr_reader.join()
    if program.returncode:
        reason = next(
            (line for line in reversed(errors[-_MAX_ERROR_LINES:]) if line), f"it ended with {program.returncode}"
        )
        raise Unavailable(Reason.of(ReasonCode.FINE_TUNING_FAILED, network=name, error=reason))
