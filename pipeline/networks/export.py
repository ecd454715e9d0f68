"""Exporting a backbone for serving, and quantising it, each in a process of its own.

The caller never loads tensorflow or nncf, and what they leave behind ends with their process.
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


def export(row: Backbone, weights: Path) -> ExportedNetwork:
    """The network of ``row`` with the weights of the file, in fp32, ready for a ``Runner``.

    The last exports are kept, since cross-validation asks for the same ones in every fold. Raises BadArtefact when the
    file is damaged or of another kind, Unavailable when tensorflow is not installed here or fails.
    """
    read_weights(row, weights)  # a bad file is refused here, at once and in plain words
    stat = weights.stat()
    return _export(row, weights.resolve(), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=3)
def _export(row: Backbone, weights: Path, size: int, changed: int) -> ExportedNetwork:
    with TemporaryDirectory(prefix="rayon-export-") as folder:
        arguments = ["keras_program", "pipeline.networks.keras_export", row.name, str(weights), folder]
        _run_apart(row, arguments, EXPORT_TIMEOUT, ReasonCode.EXPORT_FAILED, ReasonCode.EXPORT_TOO_SLOW)
        return ExportedNetwork.from_folder(Path(folder))


def quantise(row: Backbone, network: ExportedNetwork, photos: Sequence[NDArray[np.uint8]]) -> ExportedNetwork:
    """The exported network in int8; the ranges of its maps are learned from ``photos`` (RGB, uint8, of any size).

    Some 60 photos of the catalogue suffice; labels play no part. InvalidInput without photos, Unavailable when nncf is
    not installed here or fails.
    """
    if not photos:
        raise InvalidInput(f"{row.name} cannot be quantised without photos to learn the ranges of its maps from")
    with TemporaryDirectory(prefix="rayon-quantise-") as name:
        folder = Path(name)
        network.write(folder)
        np.save(folder / PHOTOS_FILE, np.stack([resize_photo(row, photo) for photo in photos]))
        arguments = ["nncf_quantise", row.name, name]
        codes = ReasonCode.QUANTISATION_FAILED, ReasonCode.QUANTISATION_TOO_SLOW
        _run_apart(row, arguments, QUANTISE_TIMEOUT, *codes)
        return ExportedNetwork.from_folder(folder, Precision.INT8)


def _run_apart(row: Backbone, arguments: list[str], timeout: float, failed: ReasonCode, too_slow: ReasonCode) -> None:
    module, *rest = arguments
    command = [sys.executable, "-m", f"pipeline.networks.{module}", *rest]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout, env=environment)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        reason = said[-1] if said else f"it ended with {error.returncode}"
        raise Unavailable(Reason.of(failed, network=row.name, error=reason)) from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(Reason.of(too_slow, network=row.name, seconds=round(timeout))) from error
