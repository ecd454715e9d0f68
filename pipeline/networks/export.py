"""Export a backbone for serving, and quantise it, each in a process of its own.

The caller never loads tensorflow or nncf, and their memory is freed with their process.
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

EXPORT_TIMEOUT = 300  # seconds; it takes about ten
QUANTISE_TIMEOUT = 1_800  # VGG16 on a hundred photos takes about one minute where nothing else runs


def export(backbone: Backbone, weights: Path) -> ExportedNetwork:
    """The network of ``backbone`` with the weights of the file, in fp32, ready for an engine.

    The last exports are kept, since cross-validation asks for the same ones in every fold. Raises BadArtefact when the
    file is damaged or of another kind, Unavailable when tensorflow is not installed here or fails.
    """
    read_weights(backbone, weights)  # a bad file is refused at once, with a readable error
    stat = weights.stat()
    return _export(backbone, weights.resolve(), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=3)
def _export(backbone: Backbone, weights: Path, size: int, modified_ns: int) -> ExportedNetwork:  # noqa: ARG001 - cache key
    with TemporaryDirectory(prefix="rayon-export-") as folder:
        arguments = ["keras_launcher", "pipeline.networks.keras_export", backbone.name, str(weights), folder]
        _run_process(backbone, arguments, EXPORT_TIMEOUT, ReasonCode.EXPORT_FAILED, ReasonCode.EXPORT_TOO_SLOW)
        return ExportedNetwork.from_folder(Path(folder))


def quantise(backbone: Backbone, network: ExportedNetwork, photos: Sequence[NDArray[np.uint8]]) -> ExportedNetwork:
    """The exported network in int8; the ranges of its maps are learned from ``photos`` (RGB, uint8, of any size).

    Some 60 photos of the catalogue suffice; labels play no part. InvalidInput without photos, Unavailable when nncf is
    not installed here or fails.
    """
    if not photos:
        raise InvalidInput(f"{backbone.name} cannot be quantised without photos to learn the ranges of its maps from")
    with TemporaryDirectory(prefix="rayon-quantise-") as name:
        folder = Path(name)
        network.write(folder)
        np.save(folder / PHOTOS_FILE, np.stack([resize_photo(backbone, photo) for photo in photos]))
        arguments = ["nncf_quantise", backbone.name, name]
        codes = ReasonCode.QUANTISATION_FAILED, ReasonCode.QUANTISATION_TOO_SLOW
        _run_process(backbone, arguments, QUANTISE_TIMEOUT, *codes)
        return ExportedNetwork.from_folder(folder, Precision.INT8)


def _run_process(
    backbone: Backbone, arguments: list[str], timeout: float, failed: ReasonCode, too_slow: ReasonCode
) -> None:
    module, *rest = arguments
    command = [sys.executable, "-m", f"pipeline.networks.{module}", *rest]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout, env=environment)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        last = lines[-1] if lines else f"it ended with {error.returncode}"
        raise Unavailable(Reason.of(failed, network=backbone.name, error=last)) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(Reason.of(too_slow, network=backbone.name, seconds=round(timeout))) from error
