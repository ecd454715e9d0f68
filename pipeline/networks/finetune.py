"""Fine-tuning a backbone's last block on labelled photos, in a process of its own: the caller loads no tensorflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.networks.backbones import Backbone
from pipeline.networks.engine import ExportedNetwork
from pipeline.networks.weights_file import read_weights

# The first layer of the last block; everything before it stays as it is.
LAST_BLOCK = {"vgg16": "block5_conv1", "squeezenet": "fire9_squeeze1x1"}
PHOTOS, LABELS, VALIDATION, TASK, HISTORY = "photos.npy", "labels.npy", "validation.npy", "task.json", "history.json"
PROGRAM = "pipeline.networks.keras_finetune"
_SAID = 20  # last lines of what the program said, kept for the reason of a failure


@dataclass(frozen=True, slots=True)
class FineTuningSchedule:
    """How long is learned, and how fast: the head alone first, then the last block with it.

    ``patience``: epochs without a lower validation loss, after which the best ones are gone back to.
    """

    head_epochs: int = 10
    epochs: int = 20
    patience: int = 6
    rate: float = 2e-5
    batch: int = 32
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FineTunedNetwork:
    """The network, ready for a ``Runner``, and its ``history``: a row an epoch, and which one was kept."""

    network: ExportedNetwork
    history: dict[str, Any]


def fine_tune(
    row: Backbone,
    weights: Path,
    photos: NDArray[np.uint8],
    labels: NDArray[np.int64],
    validation: NDArray[np.bool_],
    progress: Callable[[float, str], None],
    schedule: FineTuningSchedule = FineTuningSchedule(),
) -> FineTunedNetwork:
    """Teach the last block of ``row`` to tell the labels apart; rare labels weigh as much as common ones.

    ``photos`` (n, side, side, 3) as ``backbones.at_side`` makes them, ``labels`` (n,) from 0, ``validation`` (n,) those
    that only say when to stop. The same photos and seed give the same network on the same machine. Raises InvalidInput
    when either side has no photo, BadArtefact for a bad weights file, Unavailable when tensorflow is missing or fails.
    """
    if row.name not in LAST_BLOCK:
        raise InvalidInput(f"{row.name} has no last block that can be fine-tuned; known are: {', '.join(LAST_BLOCK)}")
    if not validation.any() or validation.all():
        raise InvalidInput("fine-tuning needs photos to learn from and others that say when to stop")
    read_weights(row, weights)
    with TemporaryDirectory(prefix="rayon-finetune-") as name:
        folder = Path(name)
        for file, values in ((PHOTOS, photos), (LABELS, labels), (VALIDATION, validation)):
            np.save(folder / file, values, allow_pickle=False)
        task = {"backbone": row.name, "weights": str(weights.resolve()), "from": LAST_BLOCK[row.name]}
        (folder / TASK).write_text(json.dumps(task | asdict(schedule)))
        _run(row.name, folder, progress)
        return FineTunedNetwork(ExportedNetwork.from_folder(folder), json.loads((folder / HISTORY).read_text()))


def _run(name: str, folder: Path, progress: Callable[[float, str], None]) -> None:
    command = [sys.executable, "-m", "pipeline.networks.keras_program", PROGRAM, str(folder)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        complaints = program.stderr
        # Both pipes are read at once: a full one would stop the program.
        listener = threading.Thread(target=lambda: said.extend(line.strip() for line in complaints), daemon=True)
        listener.start()
        try:
            for line in program.stdout:
                share, _, note = line.strip().partition(" ")
                progress(float(share), f"{name}: {note}")
        except BaseException:
            program.kill()  # somebody else has the job, or nobody wants it any more
            raise
        listener.join()
    if program.returncode:
        reason = next((line for line in reversed(said[-_SAID:]) if line), f"it ended with {program.returncode}")
        raise Unavailable(Reason.of(ReasonCode.FINE_TUNING_FAILED, network=name, error=reason))
