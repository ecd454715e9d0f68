"""Export a backbone to an OpenVINO graph, and quantise it to int8, each in a separate process.

The caller never loads tensorflow or nncf, and their memory is freed when the process ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.errors import InvalidInput, Unavailable
from pipeline.domain.reason import Reason
from pipeline.domain.reason_code import ReasonCode
from pipeline.networks.backbones import Backbone, resize_photo
from pipeline.networks.engine import ExportedNetwork
from pipeline.networks.nncf_quantise import PHOTOS_FILE
from pipeline.networks.precision import Precision
from pipeline.networks.weights_file import read_weights

EXPORT_TIMEOUT = 300  # seconds; an export takes about ten
QUANTISE_TIMEOUT = 1_800  # seconds; VGG16 with a hundred photos takes about a minute on an idle machine


def export(backbone: Backbone, weights: Path) -> ExportedNetwork:
    """Export ``backbone`` with the weights of the file as an OpenVINO graph, to be computed in fp32.

    The last three exports are cached, since cross-validation requests the same ones in every fold. Raises BadArtefact
    when the file is damaged or of another kind, Unavailable when tensorflow is not installed or fails.
    """
    read_weights(backbone, weights)  # a bad file is refused early, with a readable error
    stat = weights.stat()
    return _export(backbone, weights.resolve(), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=3)
def _export(backbone: Backbone, weights: Path, size: int, modified_ns: int) -> ExportedNetwork:  # noqa: ARG001 - cache key
    with TemporaryDirectory(prefix="rayon-export-") as folder:
        arguments = ["pipeline.networks.keras_export", backbone.name, str(weights), folder]
        codes = ReasonCode.EXPORT_FAILED, ReasonCode.EXPORT_TOO_SLOW
        _run_process(backbone, "keras_launcher", arguments, EXPORT_TIMEOUT, *codes)
        return ExportedNetwork.from_folder(Path(folder))


def quantise(backbone: Backbone, network: ExportedNetwork, photos: Sequence[NDArray[np.uint8]]) -> ExportedNetwork:
    """Quantise the exported network to int8; activation ranges are learned from ``photos`` (RGB, uint8, of any size).

    About 60 photos of the catalogue suffice; labels are not used. Raises InvalidInput without photos, Unavailable when
    nncf is not installed or fails.
    """
    if not photos:
        raise InvalidInput(f"{backbone.name} cannot be quantised without photos to learn activation ranges from")
    with TemporaryDirectory(prefix="rayon-quantise-") as folder_name:
        folder = Path(folder_name)
        network.write(folder)
        np.save(folder / PHOTOS_FILE, np.stack([resize_photo(backbone, photo) for photo in photos]))
        arguments = [backbone.name, folder_name]
        codes = ReasonCode.QUANTISATION_FAILED, ReasonCode.QUANTISATION_TOO_SLOW
        _run_process(backbone, "nncf_quantise", arguments, QUANTISE_TIMEOUT, *codes)
        return ExportedNetwork.from_folder(folder, Precision.INT8)


def _run_process(
    backbone: Backbone,
    module: str,
    arguments: list[str],
    timeout: float,
    failed: ReasonCode,
    too_slow: ReasonCode,
) -> None:
    """Run a module of ``pipeline.networks``; Unavailable with the code when it fails or exceeds ``timeout`` seconds."""
    command = [sys.executable, "-m", f"pipeline.networks.{module}", *arguments]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout, env=environment)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        message = lines[-1] if lines else f"it ended with {error.returncode}"
        raise Unavailable(Reason.of(failed, network=backbone.name, error=message)) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(Reason.of(too_slow, network=backbone.name, seconds=round(timeout))) from error
